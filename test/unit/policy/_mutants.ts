/** What may be typed: every printable character of ASCII, the line break and the tabulator. */
const KEYS: readonly string[] = [...Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i)), '\n', '\t'];

/** One text with one character left out, replaced or typed too much. */
export interface Mutant {
  readonly line: number;
  /** the place, with what stood there and what stands there now */
  readonly what: string;
  readonly text: string;
}

/** At each place: the character left out, each key in its place, each key before it. */
const PER_PLACE = 1 + 2 * KEYS.length;

/** How many mutants by one character a text has; one that leaves the text as it is counts. */
export const mutantCount = (text: string): number => text.length * PER_PLACE + KEYS.length;

/** One of the mutants of a text by its number, from 0. */
export function mutantAt(text: string, number: number): Mutant {
  const at = Math.floor(number / PER_PLACE);
  const way = at < text.length ? number % PER_PLACE : (number % PER_PLACE) + 1 + KEYS.length;
  const isTyped = way > KEYS.length;
  const key = way === 0 ? '' : (KEYS[isTyped ? way - 1 - KEYS.length : way - 1] as string);
  const after = isTyped ? at : at + 1;
  return {
    line: text.slice(0, at).split('\n').length,
    what: JSON.stringify(
      `${text.slice(Math.max(0, at - 12), at)}[${text.slice(at, after)}→${key}]${text.slice(after, after + 12)}`,
    ),
    text: text.slice(0, at) + key + text.slice(after),
  };
}
