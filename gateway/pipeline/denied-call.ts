import type { ModelRef } from '../domain/action.ts';
import { Fault } from '../domain/fault.ts';
import type { Principal } from '../domain/principal.ts';
import { actionIdentity } from './identities.ts';
import type { Trail } from './trail.ts';

/** Why the gate itself denies a model call: a budget, a halt, an edit that does not fit. */
export interface GateDenial {
  readonly code: 'TG_BUDGET_EXCEEDED' | 'TG_POLICY_DENIED' | 'TG_RATE_LIMITED';
  readonly rule: string;
  readonly reason: string;
  readonly message: string;
  /** when it is worth asking again */
  readonly retryAfterS?: number | undefined;
}

/** A denial by the gate has the same envelope as one by a rule: a judged action in the receipt, and a Fault to be thrown. */
export function denyCall(trail: Trail, principal: Principal, model: ModelRef, denial: GateDenial): Fault {
  const { code, rule, reason, message } = denial;
  const identity = actionIdentity({ point: 'pre_model_call', plane: 'llm', model }, principal, null);
  trail.record({
    point: 'pre_model_call',
    plane: 'llm',
    decision: 'deny',
    rule,
    reason,
    hits: [{ rule, decision: 'deny', reason, mode: 'enforce' }],
    input_identity: identity,
  });
  return new Fault(code, message, undefined, { rule, reason, retryAfterS: denial.retryAfterS });
}
