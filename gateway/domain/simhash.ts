import { fmix32 } from './murmur.ts';

/** 64 bits that texts with nearly the same words share, in two halves of 32. */
export interface SimHash {
  readonly high: number;
  readonly low: number;
}

const NO_WORD = 0;
/** 2²⁰ words and pairs of words are counted; of a longer text the rest is not read. */
const PLANES = 21;
const MOST = 2 ** (PLANES - 1);

/** How often each of 64 bits was set: one plane for each binary digit of the counts, so that a feature costs a few operations, not 64. */
class BitCounts {
  readonly #high = new Int32Array(PLANES);
  readonly #low = new Int32Array(PLANES);
  #before = NO_WORD;
  added = 0;

  /** Adds the next word of the text, and the pair it makes with the one before. */
  add(word: number): void {
    if (word === NO_WORD) return;
    this.#count(word);
    if (this.#before !== NO_WORD) this.#count(Math.imul(this.#before, 31) ^ word);
    this.#before = word;
  }

  #count(feature: number): void {
    raise(this.#high, fmix32(feature ^ 0x9e3779b9));
    raise(this.#low, fmix32(feature));
    this.added += 1;
  }

  /** The bits that were set in more than half of the features. */
  majority(): SimHash {
    return { high: majorityOf(this.#high, this.added), low: majorityOf(this.#low, this.added) };
  }
}

function raise(planes: Int32Array, bits: number): void {
  let carry = bits;
  for (let i = 0; carry !== 0; i += 1) {
    const plane = planes[i] as number;
    planes[i] = plane ^ carry;
    carry &= plane;
  }
}

function majorityOf(planes: Int32Array, added: number): number {
  let bits = 0;
  for (let bit = 0; bit < 32; bit += 1) {
    let count = 0;
    for (let i = 0; 2 ** i <= added; i += 1) count += (((planes[i] as number) >>> bit) & 1) * 2 ** i;
    if (count * 2 > added) bits |= 1 << bit;
  }
  return bits >>> 0;
}

/**
 * The SimHash (Charikar 2002) of a text's words and pairs of neighbouring words, letter case and punctuation left out; undefined where it has
 * none. A character of a script without spaces is a word. A few changed words in a long text change a few bits.
 */
export function simHash(text: string): SimHash | undefined {
  const counts = new BitCounts();
  let word = NO_WORD;
  for (let i = 0; i <= text.length && counts.added < MOST - 4; i += 1) {
    const unit = i < text.length ? letter(text.charCodeAt(i)) : 0;
    if (unit !== 0 && unit < IDEOGRAPHS) {
      word = (Math.imul(word ^ unit, 0x01000193) + 0x811c9dc5) | 0;
      continue;
    }
    counts.add(word);
    counts.add(unit);
    word = NO_WORD;
  }
  return counts.added === 0 ? undefined : counts.majority();
}

/** From here on a character is a word. */
const IDEOGRAPHS = 0x2e80;

/** A letter or digit, in lower case where it is ASCII; 0 for what stands between words. */
function letter(unit: number): number {
  if (unit >= 97 && unit <= 122) return unit;
  if (unit >= 65 && unit <= 90) return unit + 32;
  if (unit >= 48 && unit <= 57) return unit;
  return unit < 0xc0 || (unit >= 0x2000 && unit < IDEOGRAPHS) || (unit >= 0x3000 && unit < 0x3040) ? 0 : unit;
}

/** How many of the 64 bits differ. */
export const hammingDistance = (a: SimHash, b: SimHash): number => ones(a.high ^ b.high) + ones(a.low ^ b.low);

function ones(bits: number): number {
  let n = bits - ((bits >>> 1) & 0x55555555);
  n = (n & 0x33333333) + ((n >>> 2) & 0x33333333);
  return Math.imul((n + (n >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
