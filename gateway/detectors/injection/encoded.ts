import type { Marker } from './rule.ts';

/** A blob, [start, end), and what it says once decoded. */
interface Decoded {
  readonly start: number;
  readonly end: number;
  readonly plain: string;
}

const LONGEST_DECODED = 65_536;
const BLOB =
  /[A-Za-z0-9+/_-]{24,}={0,2}|(?:%[0-9a-fA-F]{2}|[A-Za-z0-9.,;+_-]){12,}|(?:\\u00[0-9a-fA-F]{2}|\\x[0-9a-fA-F]{2}){8,}|(?:&#x?[0-9a-fA-F]{2,4};){8,}/g;
const READABLE = /^[\t\n\r -~\u00a0-\u024f]{12,}/;

function fromBase64(blob: string): string | undefined {
  const head = Buffer.from(blob.slice(0, 32), 'base64').toString('latin1');
  if (!READABLE.test(head)) return undefined;
  return Buffer.from(blob.slice(0, LONGEST_DECODED), 'base64').toString('utf8');
}

function decode(blob: string): string | undefined {
  if (blob.startsWith('\\'))
    return blob.replace(/\\u00(..)|\\x(..)/g, (_, a?: string, b?: string) =>
      String.fromCharCode(Number.parseInt(a ?? b ?? '', 16)),
    );
  if (blob.startsWith('&#'))
    return blob.replace(/&#(x?)([0-9a-fA-F]+);/g, (_, hex: string, code: string) =>
      String.fromCharCode(Number.parseInt(code, hex === '' ? 10 : 16)),
    );
  if (/^[0-9a-fA-F]+$/.test(blob) && blob.length % 2 === 0)
    return Buffer.from(blob.slice(0, LONGEST_DECODED), 'hex').toString('latin1');
  if (!blob.includes('%')) return fromBase64(blob);
  if ((blob.match(/%[0-9a-fA-F]{2}/g)?.length ?? 0) < 2) return undefined;
  return blob
    .replace(/\+/g, ' ')
    .replace(/%([0-9a-fA-F]{2})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)));
}

/** Every stretch that is base64, hex, percent-, JavaScript- or HTML-encoded and decodes to something readable. Time is linear in the text. */
export function* decodedBlobs(text: string): Generator<Decoded> {
  for (const match of text.matchAll(BLOB)) {
    const plain = decode(match[0]);
    if (plain !== undefined && READABLE.test(plain))
      yield { start: match.index, end: match.index + match[0].length, plain };
  }
}

const rot13 = (text: string): string =>
  text.replace(/[a-z]/gi, (letter) => {
    const base = letter <= 'Z' ? 65 : 97;
    return String.fromCharCode(((letter.charCodeAt(0) - base + 13) % 26) + base);
  });

const ROT13_VERBS = /\b(?:vtaber|qvfertneq|sbetrg|bireevqr|olcnff)\b[a-zA-Z ,]{8,160}/gi;

/** The stretches that begin, in ROT13, with a verb of setting aside. */
export function* rotated(text: string): Generator<Decoded> {
  for (const match of text.matchAll(ROT13_VERBS)) {
    yield { start: match.index, end: match.index + match[0].length, plain: rot13(match[0]) };
  }
}

const COMMENT_TO_MODEL =
  /\b(?:ai|llm|gpt|chatgpt|claude|gemini|assistants?|language models?|agents?)\b\s{0,2}(?:[:,]|agents?:|assistants?:|you\b|must|should|when|include|please)|\b(?:dear|note to|instructions? (?:to|for)|attention) (?:the )?(?:ai|llm|assistant|agent|language model)|when you (?:summari[sz]e|read|process|answer)/i;
const LONGEST_COMMENT = 2_000;

/** HTML comments that speak to the model, or hold another marker. */
export function comments(
  text: string,
  holdsMarker: (inner: string) => boolean,
  onMarker: (marker: Marker) => void,
): void {
  for (let at = text.indexOf('<!--'); at !== -1; at = text.indexOf('<!--', at + 4)) {
    const close = text.slice(at + 4, at + LONGEST_COMMENT).indexOf('-->');
    if (close === -1) continue;
    const inner = text.slice(at + 4, at + 4 + close);
    if (COMMENT_TO_MODEL.test(inner) || holdsMarker(inner))
      onMarker({ kind: 'html_comment', start: at, end: at + close + 7, confidence: 0.92 });
  }
}

const LINK = /!?\[[^\]\n]{0,80}\]\((https?:\/\/[^\s)]{4,400})\)/y;

/** Markdown images and links whose address has a hole for data, or carries it. */
export function leakyLinks(text: string, onMarker: (marker: Marker) => void): void {
  for (let at = text.indexOf(']('); at !== -1; at = text.indexOf('](', at + 2)) {
    const least = Math.max(0, at - 82);
    const open = text.slice(least, at).lastIndexOf('[') + least;
    if (open < least) continue;
    const start = text.charAt(open - 1) === '!' ? open - 1 : open;
    LINK.lastIndex = start;
    const match = LINK.exec(text);
    const query = match?.[1]?.split('?')[1];
    if (match === null || query === undefined) continue;
    const hole = /=(?:%7B|\{|<|\[|\$\{|%s)|=[A-Z][A-Z0-9]{1,30}_[A-Z0-9_]{3,}/.test(query);
    const carried = /=(?=[\w+/-]{0,63}\d)(?=[\w+/-]{0,63}[a-z])(?=[\w+/-]{0,63}[A-Z])[\w+/-]{40,}/.test(query);
    if (hole || carried) onMarker({ kind: 'exfiltration', start, end: start + match[0].length, confidence: 0.85 });
  }
}
