import { Fault } from '../../domain/fault.ts';
import { splice } from '../../domain/json-splice.ts';
import { RPC, RpcFault } from '../../domain/rpc-fault.ts';
import type { RpcMessage } from '../../ports/mcp-wire.ts';
import { judgeMessage } from './judge-message.ts';
import { type Leg, send, watchLeg } from './leg.ts';
import type { Pending } from './pending-requests.ts';
import { refusalForServer } from './refusal-for-server.ts';
import { relayAnswer } from './relay-answer.ts';
import { seatOf } from './seat.ts';
import type { Errand, Visit } from './visit.ts';

/** The request of a server that a legacy client's answer is for. Throws an RpcFault where none is waiting for it. */
export function takePending(
  { room, principalId, gate }: Visit,
  handle: string | undefined,
  answer: RpcMessage,
): Pending {
  const pending = room.pending.take(principalId, handle ?? '', answer.id ?? '', gate.clock.now());
  if (!pending) throw new RpcFault(RPC.invalidRequest, 'this answers no request that is waiting here');
  return pending;
}

/** A legacy client's answer to a request of its server, which is waiting for it: judged, and passed on. */
export async function passAnswer(errand: Errand, answering: RpcMessage, pending: Pending): Promise<void> {
  const { visit } = errand;
  const { room, trail } = visit;
  const message =
    pending.id === undefined || pending.id === answering.id
      ? answering
      : room.wire.reread(splice(answering.doc.text, { at: '/id', json: pending.id }), room.limits.request);
  const seat = seatOf(errand);
  const watch = watchLeg(errand);
  const leg: Leg = { errand, seat, request: undefined, era: 'legacy', signal: watch.signal };
  try {
    const body = await judged(leg, message, pending);
    const answer = await send(leg, 'POST', new TextEncoder().encode(body));
    const relayed = await relayAnswer(leg, answer, async (response) => ({ message: response }));
    trail.ending = relayed.ending;
  } finally {
    watch.close();
  }
}

/** The answer as the server may have it; what is denied reaches it as a refusal of its own kind. */
async function judged({ seat, errand }: Leg, message: RpcMessage, pending: Pending): Promise<string> {
  const { room } = seat;
  try {
    return (await judgeMessage(seat, message, room.wire.asked, room.limits.request)).message.doc.text;
  } catch (error) {
    if (!(error instanceof Fault) || error.code !== 'TG_POLICY_DENIED' || message.id === undefined) throw error;
    return refusalForServer(room, pending.method, message.id, error, errand.visit.trail.id);
  }
}
