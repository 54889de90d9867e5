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

/** The word a kind's tokens begin with: `pii.email` → `EMAIL`. */
export const tokenWord = (kind: string): string =>
  kind
    .slice(kind.indexOf('.') + 1)
    .toUpperCase()
    .replace(/[^A-Z0-9]+/g, '_');

/** `<EMAIL_1>`: the first e-mail address of a run. */
export const tokenText = (word: string, ordinal: number): string => `<${word}_${ordinal}>`;
