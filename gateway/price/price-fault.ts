/** One mistake in a price file; `line` and `column` count from 1. */
export interface PriceProblem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

/** The price files do not compile. Holds every mistake that was found, in file order; the message is one line for each. */
export class PriceFault extends Error {
  readonly problems: readonly PriceProblem[];

  constructor(problems: readonly PriceProblem[]) {
    super(problems.map(({ file, line, column, message }) => `${file}:${line}:${column}: ${message}`).join('\n'));
    this.name = 'PriceFault';
    this.problems = problems;
  }
}
