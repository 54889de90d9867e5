/** Where a secret stands in a text, [start, end), and how sure that is. */
export interface Sighting {
  readonly start: number;
  readonly end: number;
  readonly confidence: number;
}

/** One way to recognise one kind of secret. */
export interface SecretRule {
  /** `github_token`: reported as `secret.github_token` */
  readonly kind: string;
  /** lower-case literals; a hit of one, in any case, makes the gate look closer */
  readonly anchors: readonly string[];
  /** how far before a finding's end its anchor may lie: `run` 512, inside one run of token characters; `long` 8,192; `words`: 160, with spaces between */
  readonly reach: 'run' | 'long' | 'words';
  /** Looks at the anchor in [start, end). Reads a bounded stretch of the text. */
  find(text: string, start: number, end: number): Sighting | undefined;
}

export interface TokenShape {
  readonly kind: string;
  readonly anchors: readonly string[];
  /** Sticky. The last group, if there is one, is the secret and ends the match. Its quantifiers are bounded and never nested. */
  readonly pattern: RegExp;
  /** the match begins so many characters before the anchor */
  readonly back?: number;
  readonly reach?: SecretRule['reach'];
  readonly confidence?: number;
  /** the confidence that a closer look gives; undefined: it is none */
  readonly check?: (secret: string) => number | undefined;
  /** the secret may begin in the middle of a word */
  readonly inside?: true;
}

const isWord = (code: number): boolean =>
  (code >= 48 && code <= 57) || (code >= 65 && code <= 90) || (code >= 97 && code <= 122) || code === 95 || code === 45;

const isAlphanumeric = (code: number): boolean => isWord(code) && code !== 95 && code !== 45;

const isHexDigit = (code: number): boolean =>
  isAlphanumeric(code) && Number.isInteger(Number.parseInt(String.fromCharCode(code), 16));

const BASE64_RUN = 64;

/**
 * True where [start, end) goes on with base64 that stands before it: all of one alphabet, and 64 characters before the `+` or `/` that
 * look like no path, with as many of every sort as chance gives.
 */
function isInBase64(text: string, start: number, end: number): boolean {
  if (!'+/'.includes(text.charAt(start - 1) || ' ')) return false;
  const run = text.slice(Math.max(0, start - 1 - BASE64_RUN), start - 1);
  if (run.length < BASE64_RUN || !/^[A-Za-z0-9+/]+$/.test(run + text.slice(start, end))) return false;
  const [lower, upper, digits] = [/[a-z]/g, /[A-Z]/g, /[0-9]/g].map((sort) => run.match(sort)?.length ?? 0);
  return Number(lower) >= 12 && Number(upper) >= 12 && Number(digits) >= 4;
}

/** True where a word may begin: behind no letter, digit, `_` or `-`, or behind an escape such as `\n`, `%20`. */
function beginsWord(text: string, at: number): boolean {
  if (at === 0) return true;
  const before = text.charCodeAt(at - 1);
  if (!isWord(before)) return true;
  if (text.charCodeAt(at - 2) === 92) return 'nrtbf'.includes(text.charAt(at - 1));
  return text.charCodeAt(at - 3) === 37 && isHexDigit(before) && isHexDigit(text.charCodeAt(at - 2));
}

/** How many different characters the last 16 have: `xxxx…` is nobody's key. */
function variety(secret: string): number {
  return new Set(secret.slice(-16)).size;
}

/** A rule for a token that its own form gives away. */
export function tokenRule(shape: TokenShape): SecretRule {
  const { kind, anchors, pattern, back = 0, reach = 'run', confidence = 0.9, check, inside } = shape;
  return {
    kind,
    anchors,
    reach,
    find(text, at): Sighting | undefined {
      const begin = at - back;
      if (begin < 0 || (inside !== true && !beginsWord(text, begin))) return undefined;
      pattern.lastIndex = begin;
      const match = pattern.exec(text);
      if (match === null) return undefined;
      const end = begin + match[0].length;
      const secret = match.length > 1 ? (match.at(-1) ?? '') : match[0];
      if (isAlphanumeric(text.charCodeAt(end)) || variety(secret) < 5 || isInBase64(text, begin, end)) return undefined;
      const sure = check === undefined ? confidence : check(secret);
      return sure === undefined ? undefined : { start: end - secret.length, end, confidence: sure };
    },
  };
}
