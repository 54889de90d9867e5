import { Fault } from '../domain/fault.ts';
import type { Verdict } from '../domain/verdict.ts';
import type { Saying } from '../ports/dialect.ts';
import type { Gateway } from './gateway.ts';
import { denialText } from './judgement.ts';
import { saying, sayingOfFault } from './saying.ts';
import type { Trail } from './trail.ts';

/** Why the rest of a response is withheld: a verdict, or a rule on its text. */
export const cutFor = (verdict: Verdict | undefined): Saying =>
  verdict
    ? saying('TG_POLICY_DENIED', denialText(verdict, 'the rest of this answer'), verdict.rule, verdict.reason)
    : saying('TG_POLICY_DENIED', 'tollgate withheld the rest of this answer');

/** The same where reading or editing the response failed. An edit that cannot land is a denial; anything else is a defect, and logged. */
export function cutOf(gate: Gateway, trail: Trail, error: unknown): Saying {
  if (error instanceof RangeError)
    return saying(
      'TG_POLICY_DENIED',
      `tollgate withheld the rest of this answer: an edit of it cannot land: ${error.message}`,
      undefined,
      'runtime_error:transform_failed',
    );
  gate.log.error({ call: trail.id, error }, 'reading a response on a socket failed; the rest of it is withheld');
  return saying('TG_INTERNAL', 'tollgate could not read this answer any further, so the rest of it is withheld');
}

/** Whatever was thrown, as something to say. What is no Fault is a defect, and logged. */
export function sayingOf(gate: Gateway, error: unknown): Saying {
  if (error instanceof Fault) return sayingOfFault(error);
  gate.log.error({ error }, 'a message on a socket failed inside the gate');
  return saying('TG_INTERNAL', 'tollgate failed inside; the message was not carried');
}
