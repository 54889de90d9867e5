import { type Problem, problemText } from '../domain/source.ts';

/** The price files do not compile. Holds every mistake that was found, in file order; the message is one line for each. */
export class PriceFault extends Error {
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super(problems.map(problemText).join('\n'));
    this.name = 'PriceFault';
    this.problems = problems;
  }
}
