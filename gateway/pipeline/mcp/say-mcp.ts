import { Fault } from '../../domain/fault.ts';
import { RpcFault } from '../../domain/rpc-fault.ts';
import type { McpEra, RpcMessage } from '../../ports/mcp-wire.ts';
import type { Gateway } from '../gateway.ts';
import type { Reply } from '../reply.ts';
import { gateHeaders, retryHeader } from '../say.ts';
import type { Trail } from '../trail.ts';
import type { McpRoom } from './room.ts';

/** What is being answered, as far as it is known. */
export interface Answering {
  readonly message: RpcMessage | undefined;
  readonly era: McpEra;
  /** the value of `WWW-Authenticate`, where the refusal is one of credentials */
  readonly challenge?: string | undefined;
}

const encoder = new TextEncoder();

/** Whatever was thrown, as something that can be said; a defect is logged and named as ours. */
function faultOf(gate: Gateway, trail: Trail, error: unknown): Fault {
  if (error instanceof Fault) return error;
  gate.log.error({ call: trail.id, error }, 'a call failed inside the gate');
  return new Fault('TG_INTERNAL', 'tollgate failed inside; the call was not completed', error);
}

const isDenial = ({ code }: Fault): boolean => code === 'TG_POLICY_DENIED' || code === 'TG_BUDGET_EXCEEDED';

/** The text of a refusal: a denied `tools/call` is a result, everything else an error (mcp-plane.md 11). */
function refusalText(room: McpRoom, trail: Trail, { message, era }: Answering, fault: Fault): string {
  const asResult = isDenial(fault) && !(fault instanceof RpcFault) && message?.method === 'tools/call';
  return room.wire.say({
    fault,
    id: message?.kind === 'request' ? message.id : undefined,
    asResult,
    era,
    call: trail.id,
  });
}

/** Says a refusal: over HTTP where nothing was sent yet, as an event where a stream has begun. */
export function sayMcpRefusal(
  room: McpRoom,
  gate: Gateway,
  trail: Trail,
  reply: Reply,
  to: Answering,
  error: unknown,
): void {
  const fault = faultOf(gate, trail, error);
  if (reply.gone.aborted) {
    trail.ending = trail.ending === 'refused' ? 'client_left' : trail.ending;
    return;
  }
  const text = refusalText(room, trail, to, fault);
  if (reply.started) {
    if (to.message?.kind === 'request') {
      void reply.write(room.wire.event(text));
      reply.end();
    } else reply.cut();
    return;
  }
  // a denial of a request that could be read is an answer, not a failure of the transport (mcp-plane.md 11)
  const isAnswer = isDenial(fault) && !(fault instanceof RpcFault) && to.message?.kind === 'request';
  const status = isAnswer ? 200 : fault.status;
  const body = encoder.encode(text);
  trail.status = status;
  reply.head(status, {
    ...gateHeaders(trail),
    'content-type': 'application/json',
    'content-length': String(body.length),
    ...(status === 405 && { allow: to.era === 'modern' ? 'POST' : 'POST, GET, DELETE' }),
    ...retryHeader(fault),
    ...(to.challenge !== undefined && { 'www-authenticate': to.challenge }),
  });
  reply.end(body);
}
