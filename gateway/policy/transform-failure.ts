import type { RuntimeError } from '../domain/verdict.ts';

/** A transform that can't be carried out: the call is denied. `rule` is the number of the rule that asked for it. */
export class TransformFailure extends Error {
  readonly reason: RuntimeError;
  readonly rule: number;

  constructor(reason: RuntimeError, rule: number, why: string) {
    super(why);
    this.name = 'TransformFailure';
    this.reason = reason;
    this.rule = rule;
  }
}
