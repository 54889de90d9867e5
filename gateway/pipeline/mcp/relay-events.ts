import { Fault } from '../../domain/fault.ts';
import type { McpAnswer } from '../../ports/mcp-server.ts';
import type { McpEvent, RpcMessage } from '../../ports/mcp-wire.ts';
import { gateHeaders } from '../say.ts';
import { headersForCaller } from './headers.ts';
import { judgeMessage } from './judge-message.ts';
import type { Leg } from './leg.ts';
import { answered, type Relayed, type Review, unreadable } from './relay-answer.ts';
import { fromServer } from './server-request.ts';

/** Relays a stream one whole event at a time: what no verdict touches keeps its bytes, and never half a message is passed on. */
export async function relayEvents(leg: Leg, answer: McpAnswer, review: Review): Promise<Relayed> {
  const { room } = leg.seat;
  const { reply, trail, gate } = leg.errand.visit;
  const reader = room.wire.openEvents(room.limits.message.bytes);
  // the session handle is in the head, and what it seals is in the first answer
  const held: Uint8Array[] | undefined = leg.request?.method === 'initialize' ? [] : undefined;
  let relayed: Relayed | undefined;
  let extra: Readonly<Record<string, string>> | undefined;
  const open = async (): Promise<void> => {
    if (reply.started) return;
    trail.stream = true;
    trail.status = answer.status;
    trail.firstByteTicks = gate.clock.ticks();
    reply.head(answer.status, {
      ...headersForCaller(answer.headers),
      ...gateHeaders(trail),
      ...extra,
      'x-accel-buffering': 'no',
    });
    for (const bytes of held ?? []) await reply.write(bytes);
  };
  if (!held) await open();
  for await (const chunk of answer.body) {
    for (const event of reader.push(chunk)) {
      const passed = await passEvent(leg, event, review);
      if (passed.relayed) relayed = passed.relayed;
      extra ??= passed.headers;
      if (held && !relayed) {
        if (passed.bytes) held.push(passed.bytes);
        continue;
      }
      await open();
      if (passed.bytes) await reply.write(passed.bytes);
    }
  }
  await open();
  reply.end();
  if (!relayed) remember(leg);
  return relayed ?? { ending: 'completed', failed: leg.request !== undefined };
}

/** A legacy answer may still come, on a stream that goes on from here. */
export function remember({ errand: { visit, session }, request, era }: Leg): void {
  if (request && session && era === 'legacy') visit.room.unanswered.add(visit.principalId, session.handle, request);
}

interface Passed {
  /** undefined: nothing is sent on */
  readonly bytes: Uint8Array | undefined;
  readonly relayed?: Relayed;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

async function passEvent(leg: Leg, event: McpEvent, review: Review): Promise<Passed> {
  if (event.data === undefined || event.data === '') return { bytes: event.bytes };
  const message = readEvent(leg, event.data);
  if (message.kind === 'response') {
    const request = requestOf(leg, message);
    if (!request) return stray(leg);
    const passed = await review(message, request);
    return {
      bytes: bytesOf(leg, event, message, passed.message),
      ...(request === leg.request && { relayed: answered(message, 200) }),
      headers: passed.headers,
    };
  }
  if (message.kind === 'request') {
    if (leg.era === 'modern')
      throw new Fault(
        'TG_UPSTREAM_UNREADABLE',
        'the server sent a request of its own, which this protocol version does not know',
      );
    const passed = await fromServer(leg, message);
    return { bytes: passed && bytesOf(leg, event, message, passed) };
  }
  return notify(leg, event, message);
}

/** What an answer on this stream answers: the stream's own request, or one whose own stream ended before. */
function requestOf({ request, errand: { visit, session } }: Leg, { id }: RpcMessage): RpcMessage | undefined {
  if (request) return id === undefined || id === request.id ? request : undefined;
  return session && id !== undefined ? visit.room.unanswered.find(visit.principalId, session.handle, id) : undefined;
}

function readEvent({ seat: { room } }: Leg, data: string): RpcMessage {
  try {
    return room.wire.reread(data, room.limits.message);
  } catch (error) {
    throw unreadable(error);
  }
}

const bytesOf = ({ seat }: Leg, event: McpEvent, before: RpcMessage, after: RpcMessage): Uint8Array =>
  after === before ? event.bytes : seat.room.wire.withData(event, after.doc.text);

/** An answer to nothing that was asked here. */
function stray({ errand }: Leg): Passed {
  errand.visit.trail.note('the server answered a request that nobody made here; it was dropped');
  return { bytes: undefined };
}

/** A notification of the server; a denied one is left out and recorded. */
function notify(leg: Leg, event: McpEvent, message: RpcMessage): Passed {
  const { seat } = leg;
  try {
    const passed = judgeMessage(seat, message, seat.room.wire.brought, seat.room.limits.message).message;
    return { bytes: bytesOf(leg, event, message, passed) };
  } catch (error) {
    if (!(error instanceof Fault) || error.code !== 'TG_POLICY_DENIED') throw error;
    return { bytes: undefined };
  }
}
