import type { Finding } from '../domain/finding.ts';

/** A detector that somebody else runs: it is asked over the network, before anything is judged. */
export interface Classifier {
  /** the family a rule names; each of its kinds begins with it and a dot */
  readonly name: string;
  readonly kinds: readonly string[];
  /**
   * What it finds in each text, in order of `start`; undefined for a text it gave no usable answer about, in time or at all: rules then
   * take its kinds as found. Never throws. Bounded in time and in how many texts are asked about at once; equal texts are asked once.
   */
  classify(texts: readonly string[], signal: AbortSignal): Promise<readonly (readonly Finding[] | undefined)[]>;
}

/** How a question to a classifier went; `known`: an earlier answer was used, `refused`: it was not even asked. */
export type ClassifierResult = 'answered' | 'known' | 'timeout' | 'failed' | 'refused';
