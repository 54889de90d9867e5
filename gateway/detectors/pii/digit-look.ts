/** What a closer look at a run of digits found, [start, end). */
export interface Sighting {
  readonly kind: string;
  readonly start: number;
  readonly end: number;
  readonly confidence: number;
}

/** Looks at the digits that begin at `at`; `token`: where the word they stand in begins. Reads a bounded stretch. */
export type DigitLook = (text: string, at: number, token: number) => Sighting | undefined;

const isWord = (code: number): boolean =>
  (code >= 48 && code <= 57) || (code >= 65 && code <= 90) || (code >= 97 && code <= 122) || code === 95;

/** True where a number may begin: not inside a word, a decimal, a path or a name with dashes. */
export function opens(text: string, at: number): boolean {
  if (at === 0) return true;
  const before = text.charCodeAt(at - 1);
  if (isWord(before)) return text.charCodeAt(at - 2) === 92 && 'nrt'.includes(text.charAt(at - 1));
  if (before === 46 || before === 45 || before === 43) return at === 1 || !isWord(text.charCodeAt(at - 2));
  return before !== 36 && before !== 35 && before !== 37;
}

/** True where a number may end. */
export function closes(text: string, end: number): boolean {
  const next = text.charCodeAt(end);
  if (isWord(next)) return false;
  return !((next === 46 || next === 45) && isWord(text.charCodeAt(end + 1)));
}

/** True where one of the words stands in the 48 characters before. */
export const context = (text: string, at: number, words: RegExp): boolean =>
  words.test(text.slice(Math.max(0, at - 48), at));

/** The match of a sticky pattern at `at` that stands alone. */
export function aloneAt(text: string, at: number, pattern: RegExp): RegExpExecArray | undefined {
  pattern.lastIndex = at;
  const match = pattern.exec(text);
  return match !== null && closes(text, at + match[0].length) ? match : undefined;
}
