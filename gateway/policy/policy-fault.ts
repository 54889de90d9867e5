import { type Problem, problemText } from '../domain/source.ts';

/** A policy that can't be used: every mistake at once, in order of file and place. */
export class PolicyFault extends Error {
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super(problems.map(problemText).join('\n'));
    this.name = 'PolicyFault';
    this.problems = problems;
  }
}
