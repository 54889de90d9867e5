/** One mistake in a policy file. Line and column count from 1; the column counts UTF-16 units. */
export interface Problem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

const describeProblem = (p: Problem): string => `${p.file}:${p.line}:${p.column}: ${p.message}`;

/** A policy that can't be used: every mistake at once, in order of file and place. */
export class PolicyFault extends Error {
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super(problems.map(describeProblem).join('\n'));
    this.name = 'PolicyFault';
    this.problems = problems;
  }
}
