import type { Point } from '../domain/action.ts';
import type { Decision } from '../domain/verdict.ts';
import type { Condition } from './condition/compile-condition.ts';
import type { FindingFilter } from './known-detectors.ts';
import type { Selectors } from './selectors.ts';
import type { Change } from './transform.ts';

/** A rule, checked and ready to be asked. */
export interface CompiledRule {
  /** its number: bundles in name order, rules in document order */
  readonly index: number;
  /** `<bundle>/<rule>` */
  readonly id: string;
  readonly points: readonly Point[];
  /** whose rule it is: '' at depth 0 is the organisation's, a bundle with a parent is a layer of its own, deeper by one */
  readonly layer: { readonly name: string; readonly depth: number };
  readonly selectors: Selectors;
  readonly verdict: Decision;
  readonly mode: 'enforce' | 'observe';
  /** off from this moment on, in milliseconds since the epoch; endless where the rule does not expire */
  readonly expiresAt: number;
  readonly when: Condition | undefined;
  readonly unless: Condition | undefined;
  /** a finding that must be there; undefined where none is named, or the conditions look at findings themselves */
  readonly needs: FindingFilter | undefined;
  /** detectors that have to run before the rule is asked */
  readonly detectors: readonly string[];
  readonly changes: readonly Change[];
  readonly labels: readonly string[];
  readonly reason: string | undefined;
  readonly message: string | undefined;
  readonly doc: string | undefined;
  readonly halt: 'run' | 'agent' | 'human' | undefined;
  readonly approvers: readonly string[];
  readonly whole: boolean;
}
