import type { Edit } from './action.ts';

/** Least to most severe; the strictest of all matching rules wins (actions.md 2). */
export const DECISIONS = ['allow', 'warn', 'transform', 'escalate', 'deny'] as const;
export type Decision = (typeof DECISIONS)[number];

export const severity = (decision: Decision): number => DECISIONS.indexOf(decision);

/** Reasons that only the gate may give; no policy may emit one. The set is closed. */
export const RUNTIME_ERRORS = [
  'runtime_error:condition_failed',
  'runtime_error:step_budget_exceeded',
  'runtime_error:transform_failed',
  'runtime_error:detector_failed',
  'runtime_error:approval_resolver_missing',
  'runtime_error:internal',
] as const;
export type RuntimeError = (typeof RUNTIME_ERRORS)[number];

/** One rule that matched, whether or not it decided. */
export interface RuleHit {
  /** `<bundle>/<rule>` */
  readonly rule: string;
  readonly decision: Decision;
  readonly reason?: string | undefined;
  /** `observe`: reported, never enforced */
  readonly mode: 'enforce' | 'observe';
  readonly error?: RuntimeError | undefined;
}

export interface Verdict {
  readonly decision: Decision;
  /** the rule that decided; undefined where silence did */
  readonly rule?: string | undefined;
  readonly reason?: string | undefined;
  /** written for the agent that reads it */
  readonly message?: string | undefined;
  readonly doc?: string | undefined;
  readonly hits: readonly RuleHit[];
  /** edits of all matching transforms, composed in document order; empty unless the decision is `transform` */
  readonly edits: readonly Edit[];
  /** most output tokens a `cap` allows; the corridor writes it into the field the caller used */
  readonly cap?: OutputCap | undefined;
  readonly labels: readonly string[];
  readonly halt?: 'run' | 'agent' | 'human' | undefined;
}

/** `affordable`: what is left in the tightest budget. */
export type OutputCap = number | 'affordable';

export const ALLOWED: Verdict = { decision: 'allow', hits: [], edits: [], labels: [] };
