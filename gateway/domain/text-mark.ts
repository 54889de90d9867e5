import { fmix32 } from './murmur.ts';

/** Characters of a long text that are looked at: its head, its tail, and as many spread in between. */
const ENDS = 16;
const SPREAD = 16;

/**
 * A number by which a text is known again within one run: of its length and 48 of its characters, so that its cost does not grow with the
 * text. Two texts of one length that differ elsewhere have the same mark: good enough to say which step brought a text, for nothing else.
 */
export function textMark(text: string): number {
  const { length } = text;
  let hash = length | 0;
  const head = length <= 2 * ENDS + SPREAD ? length : ENDS;
  for (let i = 0; i < head; i += 1) hash = mixed(hash, text.charCodeAt(i));
  if (head < length) {
    const stride = (length - 2 * ENDS) / SPREAD;
    for (let i = 0; i < SPREAD; i += 1) hash = mixed(hash, text.charCodeAt(ENDS + Math.floor(i * stride)));
    for (let i = length - ENDS; i < length; i += 1) hash = mixed(hash, text.charCodeAt(i));
  }
  // 32 bits of hash above 21 of length: a whole number that a double holds
  return (fmix32(hash) >>> 0) * 0x20_0000 + (length & 0x1f_ffff);
}

/** One round of MurmurHash3. */
function mixed(hash: number, unit: number): number {
  const k = Math.imul(unit, 0xcc9e2d51);
  const h = hash ^ Math.imul((k << 15) | (k >>> 17), 0x1b873593);
  return (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;
}
