/**
 * The finalizer of MurmurHash3 (fmix32): every bit of a 32-bit number changes about half of the bits of what comes out. Not for secrets.
 * Source: https://github.com/aappleby/smhasher, MurmurHash3.cpp.
 */
export function fmix32(value: number): number {
  let h = value ^ (value >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return h ^ (h >>> 16);
}
