import { Fault } from '../domain/fault.ts';
import type { Dialect, Saying } from '../ports/dialect.ts';
import type { Gateway } from './gateway.ts';
import type { Reply } from './reply.ts';
import type { Trail } from './trail.ts';

/** Headers of our own on every answer; pinned names. */
export function gateHeaders(trail: Trail): Record<string, string> {
  return {
    'x-tollgate-call': trail.id,
    'x-tollgate-decision': trail.decision,
    ...(trail.principal && { 'x-tollgate-run': trail.principal.run.id }),
    ...(trail.budgetLeft !== undefined && { 'x-tollgate-budget-left': trail.budgetLeft }),
    ...(trail.clampedTo !== undefined && { 'x-tollgate-clamped': String(trail.clampedTo) }),
  };
}

/** Turns whatever was thrown into the receipt's ending and fault. */
export function refuse(trail: Trail, error: unknown): void {
  const fault = error instanceof Fault ? error : undefined;
  trail.fault = fault?.code ?? 'TG_INTERNAL';
  const denied =
    fault?.code === 'TG_POLICY_DENIED' || fault?.code === 'TG_BUDGET_EXCEEDED' || fault?.code === 'TG_RATE_LIMITED';
  if (trail.ending === 'refused' && denied) trail.ending = 'denied';
}

/** How long a client may reasonably sleep before it asks again. */
const PATIENCE_S = 60;

/** When it is worth asking again, where that is known. */
export function retryHeader({ status, retryAfterS = status === 503 ? 1 : undefined }: Fault): Record<string, string> {
  return retryAfterS === undefined ? {} : { 'retry-after': String(retryAfterS) };
}

const worthRetrying = ({ status, retryAfterS }: Fault): boolean =>
  status === 503 || (retryAfterS !== undefined && retryAfterS <= PATIENCE_S);

/** The body of a refusal; undefined where the tongue itself fails. */
function spoken(gate: Gateway, trail: Trail, tongue: Dialect | undefined, saying: Saying): Uint8Array | undefined {
  try {
    return new TextEncoder().encode(
      tongue ? tongue.error(saying) : JSON.stringify({ error: { code: saying.code, message: saying.message } }),
    );
  } catch (error) {
    gate.log.error({ call: trail.id, error }, 'a refusal could not be put into words; the connection was cut');
    return undefined;
  }
}

/** Says a refusal in the caller's tongue: an error answer, or an error event where a stream has begun. */
export function sayRefusal(
  gate: Gateway,
  trail: Trail,
  tongue: Dialect | undefined,
  reply: Reply,
  error: unknown,
): void {
  const fault =
    error instanceof Fault
      ? error
      : new Fault('TG_INTERNAL', 'tollgate failed inside; the call was not completed', error);
  if (!(error instanceof Fault)) gate.log.error({ call: trail.id, error }, 'a call failed inside the gate');
  const saying: Saying = {
    code: fault.code,
    status: fault.status,
    message: fault.message,
    rule: fault.rule,
    reason: fault.reason,
  };
  if (reply.gone.aborted) {
    trail.ending = trail.ending === 'refused' ? 'client_left' : trail.ending;
    return;
  }
  if (reply.started) {
    // what was begun cannot be taken back: break it off, so that it is not taken for a whole answer
    reply.cut();
    return;
  }
  const body = spoken(gate, trail, tongue, saying);
  if (!body) {
    reply.cut();
    return;
  }
  trail.status = fault.status;
  reply.head(fault.status, {
    ...gateHeaders(trail),
    'content-type': 'application/json',
    'content-length': String(body.length),
    'x-should-retry': String(worthRetrying(fault)),
    ...retryHeader(fault),
    ...(fault.status === 426 && { upgrade: 'websocket' }),
    ...(fault.status === 401 && { 'www-authenticate': 'Bearer realm="tollgate"' }),
  });
  reply.end(body);
}
