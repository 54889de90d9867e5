/** Texts up to this length are worth a sketch; a longer one sets most bits. */
const MAX_TEXT = 2048;
const BITS = 4096;

const bitOf = (a: number, b: number): number => (a * 37 + b) & (BITS - 1);

/** The bits of all pairs of neighbouring characters of a text, the last pair first: what differs mostly stands at the end. */
export function pairsOf(literal: string): readonly number[] {
  const bits: number[] = [];
  for (let i = literal.length - 1; i > 0; i -= 1) bits.push(bitOf(literal.charCodeAt(i - 1), literal.charCodeAt(i)));
  return [...new Set(bits)];
}

/**
 * Which pairs of neighbouring characters the text that was asked about last holds: many patterns are asked of one text, and most of them
 * need a pair that is not there. A text is sketched when it is asked about a second time in a row.
 */
export class TextSketch {
  readonly #bits = new Uint32Array(BITS / 32);
  #text: string | undefined;
  #drawn = false;

  forget(): void {
    this.#text = undefined;
  }

  /** True: the text certainly holds no literal with these pairs. False says nothing. */
  rulesOut(text: string, pairs: readonly number[]): boolean {
    if (text.length > MAX_TEXT || pairs.length === 0) return false;
    if (this.#text !== text) {
      this.#text = text;
      this.#drawn = false;
      return false;
    }
    if (!this.#drawn) this.#draw(text);
    const bits = this.#bits;
    for (let i = 0; i < pairs.length; i += 1) {
      const bit = pairs[i] as number;
      if (((bits[bit >> 5] as number) & (1 << (bit & 31))) === 0) return true;
    }
    return false;
  }

  #draw(text: string): void {
    const bits = this.#bits;
    bits.fill(0);
    let before = text.charCodeAt(0);
    for (let i = 1; i < text.length; i += 1) {
      const unit = text.charCodeAt(i);
      const bit = bitOf(before, unit);
      bits[bit >> 5] = (bits[bit >> 5] as number) | (1 << (bit & 31));
      before = unit;
    }
    this.#drawn = true;
  }
}
