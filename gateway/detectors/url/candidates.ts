/** A stretch of text that may be a URL, [start, end); `mark`: where its first colon stands. */
export interface Candidate {
  readonly start: number;
  readonly mark: number;
  readonly end: number;
}

/** The longest URL that is read, in UTF-16 units. */
export const LONGEST_URL = 4_096;
const LONGEST_SCHEME = 20;

const STOP = new Set(
  [...' \t\r\n"<>`{}|^\\\u00a0\u2028\u2029\u3000、「」『』（）【】《》'].map((char) => char.charCodeAt(0)),
);

const isSchemeChar = (code: number): boolean =>
  (code >= 97 && code <= 122) ||
  (code >= 65 && code <= 90) ||
  (code >= 48 && code <= 57) ||
  code === 43 ||
  code === 45 ||
  code === 46;

const isLetter = (code: number): boolean => (code >= 97 && code <= 122) || (code >= 65 && code <= 90);

/** Where the URL that begins before `from` ends: at a space, quote or bracket that it did not open, without closing punctuation. */
function urlEnd(text: string, from: number): number {
  const limit = Math.min(text.length, from + LONGEST_URL);
  let end = from;
  let depth = 0;
  for (; end < limit; end += 1) {
    const code = text.charCodeAt(end);
    if (STOP.has(code) || code < 32) break;
    if (code === 39 && end > from) break;
    if (code === 40) depth += 1;
    if (code === 41 && --depth < 0) break;
  }
  while (end > from && '.,;:!?*'.includes(text.charAt(end - 1))) end -= 1;
  return end;
}

/** Schemes without `//` that run code or wrap another address. */
const BARE = /(?:javascript|vbscript|data|jar|view-source):/iy;
const BARE_LONGEST = 11;

/** Calls back for every stretch that begins like a URL. One pass over the colons. */
export function eachCandidate(text: string, onCandidate: (candidate: Candidate) => void): void {
  let done = 0;
  for (let mark = text.indexOf(':'); mark !== -1; mark = text.indexOf(':', Math.max(mark + 1, done))) {
    const slashes = text.startsWith('//', mark + 1);
    let start = mark;
    const least = Math.max(done, mark - (slashes ? LONGEST_SCHEME : BARE_LONGEST));
    while (start > least && isSchemeChar(text.charCodeAt(start - 1))) start -= 1;
    while (start < mark && !isLetter(text.charCodeAt(start))) start += 1;
    if (start === mark) continue;
    if (!slashes) {
      BARE.lastIndex = start;
      if (!BARE.test(text) || BARE.lastIndex !== mark + 1) continue;
    }
    const end = urlEnd(text, mark + 1);
    if (end - mark < 3) continue;
    onCandidate({ start, mark, end });
    done = end;
  }
}
