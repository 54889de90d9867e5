import { Fault } from '../../domain/fault.ts';
import { splice } from '../../domain/json-splice.ts';
import type { RpcMessage } from '../../ports/mcp-wire.ts';
import { judgeMessage } from './judge-message.ts';
import { drop, type Leg, send } from './leg.ts';
import { refusalForServer } from './refusal-for-server.ts';

/**
 * A request of a legacy server to its client, judged: sampling as a model call, elicitation as a tool's result. Returns what to pass
 * on; undefined where it was denied, and the server has its answer.
 */
export async function fromServer(leg: Leg, message: RpcMessage): Promise<RpcMessage | undefined> {
  const { seat, errand } = leg;
  const { visit, session, peer } = errand;
  try {
    const { message: passed } = await judgeMessage(seat, message, seat.room.wire.brought, seat.room.limits.message);
    const { room, principalId, gate, address } = visit;
    const server = peer.server.name;
    const own = message.id ?? '';
    // two servers behind the federated endpoint may use the same id
    const id = address.server === undefined ? JSON.stringify(`${server}/${own}`) : own;
    const pending = { method: message.method, server, id: own };
    room.pending.add(principalId, session?.handle ?? '', id, pending, gate.clock.now());
    return id === own
      ? passed
      : room.wire.reread(splice(passed.doc.text, { at: '/id', json: id }), room.limits.message);
  } catch (error) {
    if (!(error instanceof Fault) || error.code !== 'TG_POLICY_DENIED') throw error;
    await answerServer(leg, message, error);
    return undefined;
  }
}

/** Tells the server that its request was denied: a sampling or roots request fails, a question to the person is declined. */
async function answerServer(leg: Leg, message: RpcMessage, fault: Fault): Promise<void> {
  const { room } = leg.seat;
  const body = refusalForServer(room, message.method, message.id ?? '', fault, leg.errand.visit.trail.id);
  const answer = await send(leg, 'POST', new TextEncoder().encode(body), { 'content-type': 'application/json' });
  await drop(answer);
}
