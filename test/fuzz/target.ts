/** One thing to be fuzzed, and what must hold of it for every input. */
export interface Target {
  /** words to put into inputs besides those of the code under test */
  readonly words: readonly string[];
  /** the longest input, in UTF-16 units */
  readonly most: number;
  /** what one input may take, in milliseconds of its thread's processor time */
  readonly boundMs: number;
  /**
   * Asks what must hold; throws where it does not. Returns how slow the input was for its length where that is what is looked for:
   * the slowest are kept.
   */
  run(input: string): number | undefined;
}
