import type { Pointer } from '../domain/pointer.ts';

/** Which tokens a rule turns back into their values, and where. */
export interface Rehydration {
  readonly covers: (kind: string) => boolean;
  /** words of the tokens such kinds have */
  readonly words: ReadonlySet<string>;
  readonly at: Pointer | undefined;
}
