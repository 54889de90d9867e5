import type { Pointer } from './pointer.ts';

/** What a detector saw in one stretch of text. Never holds the text itself. */
export interface Finding {
  /** `<detector>.<kind>`, e.g. `secret.aws_access_key`, `pii.email` */
  readonly kind: string;
  /** UTF-16 offsets into the scanned text: [start, end) */
  readonly start: number;
  readonly end: number;
  /** 0 to 1; a validated checksum is 1 */
  readonly confidence: number;
}

/** A finding placed in a policy target; `unknown` stands for a detector that failed, and rules treat it as found. */
export interface PlacedFinding extends Finding {
  readonly at: Pointer;
  readonly status: 'found' | 'unknown';
  /** what stands for the value in this run where a rule redacts it `as: token`; absent: the judge numbers what this one snapshot holds */
  readonly token?: string | undefined;
}

/** Something in a policy target that looks like a token; without kind and value it stands for nothing known in this run. */
export interface PlacedToken {
  readonly token: string;
  /** what it begins with: `EMAIL` */
  readonly word: string;
  readonly at: Pointer;
  /** UTF-16 offsets into the part's text: [start, end) */
  readonly start: number;
  readonly end: number;
  readonly kind?: string | undefined;
  readonly value?: string | undefined;
}

/** What looks like a token, to be matched anywhere in a text: its word, its ordinal. */
export const TOKEN_LOOKALIKE = /<([A-Z][A-Z0-9_]{0,63})_([1-9][0-9]{0,8})>/g;

/** The word a kind's tokens begin with: `pii.email` → `EMAIL`. */
export const tokenWord = (kind: string): string =>
  kind
    .slice(kind.indexOf('.') + 1)
    .toUpperCase()
    .replace(/[^A-Z0-9]+/g, '_');

/** `<EMAIL_1>`: the first e-mail address of a run. */
export const tokenText = (word: string, ordinal: number): string => `<${word}_${ordinal}>`;
