import { textMark } from './text-mark.ts';

/** So many texts may share a mark before they are told apart by all of their characters. */
const FEW = 8;

interface Row<V> {
  readonly text: string;
  readonly value: V;
}

/**
 * A map with long texts as keys. A `Map` reads all of a text it has not hashed before; this one looks at a few characters and then
 * compares, which costs nothing where it is the very same string. Texts made to share a mark only make it a `Map`.
 */
export class TextMap<V> {
  readonly #rows = new Map<number, Row<V>[]>();
  readonly #crowded = new Map<string, V>();

  /** The value of `text`; made by `make` where there is none. */
  of(text: string, make: () => V): V {
    const mark = textMark(text);
    const rows = this.#rows.get(mark);
    if (!rows) {
      const value = make();
      this.#rows.set(mark, [{ text, value }]);
      return value;
    }
    for (const row of rows) if (row.text === text) return row.value;
    if (rows.length >= FEW) return this.#inCrowd(text, make);
    const value = make();
    rows.push({ text, value });
    return value;
  }

  #inCrowd(text: string, make: () => V): V {
    const known = this.#crowded.get(text);
    if (known !== undefined) return known;
    const value = make();
    this.#crowded.set(text, value);
    return value;
  }
}
