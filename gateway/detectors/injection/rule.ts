/** Where a marker stands, [start, end), and how sure that is. */
export interface Marker {
  readonly kind: string;
  readonly start: number;
  readonly end: number;
  readonly confidence: number;
}

/** One way in which a text addresses the model. */
export interface MarkerRule {
  readonly kind: string;
  /** lower-case ASCII literals the pattern begins with */
  readonly anchors: readonly string[];
  /** Sticky. Reads at most `REACH`; quantifiers are bounded. */
  readonly pattern: RegExp;
  readonly confidence: number;
  /** the anchor stands at the beginning of a line */
  readonly line?: true;
  /** the anchor may stand inside a word */
  readonly inside?: true;
}

/** The longest marker of a pattern, in UTF-16 units; HTML comments and encoded blobs may be longer. */
export const REACH = 240;
