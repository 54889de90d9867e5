import type { Finding } from '../domain/finding.ts';

/** A nose for one kind of thing in text. Time is linear in the text. */
export interface Detector {
  /** the family a rule names: `secrets`, `pii` … */
  readonly name: string;
  /** every kind it can report: `secret.aws_access_key` … */
  readonly kinds: readonly string[];
  /** Findings in order of `start`, not overlapping. Throws only on a defect; the caller then reports `unknown`. */
  scan(text: string): readonly Finding[];
  /**
   * For streams: the offset from which on `text` might still be the beginning of a finding that later text completes. Everything
   * before it is certain. Bounded: never further than `lookBehind` from the end.
   */
  holdFrom(text: string): number;
  /** UTF-16 units */
  readonly lookBehind: number;
}
