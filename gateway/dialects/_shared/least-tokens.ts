/**
 * Bytes of the longest token a public vocabulary has, once runs and symbols are taken out: words of 42 bytes are known
 * (cl100k_base), 64 leaves room.
 */
const LONGEST_TOKEN = 64;

/**
 * UTF-8 bytes of `text` that long tokens are not made of: a repeated character and ASCII that is neither letter nor digit count
 * nothing, because one token may stand for a hundred spaces or dashes.
 */
export function denseBytes(text: string): number {
  let bytes = 0;
  let last = -1;
  for (let i = 0; i < text.length; i += 1) {
    const c = text.charCodeAt(i);
    const same = c === last;
    last = c;
    if (same) continue;
    if (c < 128) bytes += isWord(c) ? 1 : 0;
    else if (c < 2048 || (c >= 0xd800 && c < 0xe000)) bytes += 2;
    else bytes += 3;
  }
  return bytes;
}

const isWord = (c: number): boolean => (c > 47 && c < 58) || (c > 64 && c < 91) || (c > 96 && c < 123);

/** Fewest tokens that can have produced text of so many dense bytes: a number a bill can only be above. */
export const leastTokens = (bytes: number): number => Math.ceil(bytes / LONGEST_TOKEN);
