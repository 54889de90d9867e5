import { Fault } from '../../domain/fault.ts';
import type { McpAnswer } from '../../ports/mcp-server.ts';
import type { RpcMessage } from '../../ports/mcp-wire.ts';
import { gateHeaders } from '../say.ts';
import { headersForCaller } from './headers.ts';
import type { Leg } from './leg.ts';
import { mayPassUnread, PASS_FROM, PassingRelay } from './pass-unread.ts';
import { relayEvents } from './relay-events.ts';
import { answered, type Relayed, type Review, unreadable } from './relayed.ts';

/** Relays a server's answer, whatever its form. Throws a Fault where it cannot be passed on; `reply.started` tells how far it came. */
export async function relayAnswer(leg: Leg, answer: McpAnswer, review: Review): Promise<Relayed> {
  const type = String(answer.headers['content-type'] ?? '').toLowerCase();
  if (type.startsWith('text/event-stream') && answer.status < 300) return relayEvents(leg, answer, review);
  const bytes = await whole(answer, leg, type.startsWith('application/json') && answer.status < 300);
  if (!(bytes instanceof Uint8Array)) return bytes;
  if (bytes.length === 0) return bare(leg, answer);
  if (!type.startsWith('application/json')) return refuseForeign(leg, answer);
  return relayJson(leg, answer, bytes, review);
}

/** Reads a body to its end, bounded; a large one that nobody has to see whole passes meanwhile. */
async function whole(answer: McpAnswer, leg: Leg, isAnswer: boolean): Promise<Uint8Array | Relayed> {
  const limit = leg.seat.room.limits.message.bytes;
  const chunks: Uint8Array[] = [];
  let size = 0;
  let asked = false;
  const body = answer.body[Symbol.asyncIterator]();
  for (let next = await body.next(); next.done !== true; next = await body.next()) {
    const chunk = next.value;
    if (isAnswer && !asked && size + chunk.length > PASS_FROM) {
      asked = true;
      const passing = mayPassUnread(leg) ? begun(leg, [...chunks, chunk]) : undefined;
      if (passing) return passJson(leg, answer, passing, [...chunks, chunk], body);
    }
    size += chunk.length;
    if (size > limit)
      throw new Fault(
        'TG_UPSTREAM_UNREADABLE',
        `the server sent a message larger than ${limit} bytes; raise \`mcp.limits.message_mb\``,
      );
    chunks.push(chunk);
  }
  return chunks.length === 1 ? (chunks[0] as Uint8Array) : Buffer.concat(chunks);
}

/** An answer that is large and a result already; undefined: it has to be read whole. */
function begun(leg: Leg, chunks: readonly Uint8Array[]): PassingRelay | undefined {
  const passing = new PassingRelay(leg);
  return passing.begins(chunks) ? passing : undefined;
}

/** Passes an answer as it comes; where it turns out to be no good, what was passed is broken off. */
async function passJson(
  { errand }: Leg,
  answer: McpAnswer,
  passing: PassingRelay,
  first: readonly Uint8Array[],
  rest: AsyncIterator<Uint8Array>,
): Promise<Relayed> {
  const { trail, reply, gate } = errand.visit;
  trail.status = answer.status;
  trail.firstByteTicks = gate.clock.ticks();
  reply.head(answer.status, { ...headersForCaller(answer.headers, errand.session), ...gateHeaders(trail) });
  try {
    for (const chunk of first) await reply.write(chunk);
    for (let next = await rest.next(); next.done !== true; next = await rest.next()) {
      passing.check(next.value);
      await reply.write(next.value);
    }
    const relayed = passing.end();
    reply.end();
    return relayed;
  } catch (error) {
    reply.cut();
    throw error;
  }
}

/** 202 for what needs no answer, 405 for what a server does not offer. */
function bare({ errand, request }: Leg, answer: McpAnswer): Relayed {
  const { trail, reply } = errand.visit;
  if (request && answer.status < 300)
    throw new Fault('TG_UPSTREAM_UNREADABLE', 'the server answered a request with nothing');
  trail.status = answer.status;
  reply.head(answer.status, {
    ...headersForCaller(answer.headers, errand.session),
    ...gateHeaders(trail),
    'content-length': '0',
  });
  reply.end();
  return { ending: answer.status < 300 ? 'completed' : 'upstream_error', failed: answer.status >= 300 };
}

/** A page for people or a text is no message: its status is passed on, its body is not. */
function refuseForeign({ errand }: Leg, answer: McpAnswer): never {
  const { status } = answer;
  const server = errand.peer.server.name;
  if (status === 404 && errand.session)
    throw new Fault('TG_UNKNOWN_SESSION', 'this session is not known here; send `initialize` to begin a new one');
  if (status === 405) throw new Fault('TG_METHOD', `the MCP server \`${server}\` does not offer this method`);
  throw new Fault(
    'TG_UPSTREAM_UNREADABLE',
    `the MCP server \`${server}\` answered ${status} with something that is no JSON-RPC message`,
  );
}

async function relayJson(leg: Leg, answer: McpAnswer, bytes: Uint8Array, review: Review): Promise<Relayed> {
  const { trail, reply, gate } = leg.errand.visit;
  const response = readAnswer(leg, bytes);
  const { message, headers } = await review(response, leg.request);
  const body = message === response ? bytes : new TextEncoder().encode(message.doc.text);
  trail.status = answer.status;
  trail.firstByteTicks = gate.clock.ticks();
  reply.head(answer.status, {
    ...headersForCaller(answer.headers, leg.errand.session),
    ...gateHeaders(trail),
    ...headers,
    'content-length': String(body.length),
  });
  reply.end(body);
  return answered(response, answer.status);
}

/** Reads the message that must answer the leg's request. An error may lack its id, where the server could not read the request. */
function readAnswer(leg: Leg, bytes: Uint8Array): RpcMessage {
  const { room } = leg.seat;
  let response: RpcMessage;
  try {
    response = room.wire.read(bytes, room.limits.message);
  } catch (error) {
    throw unreadable(error);
  }
  const isAnswer = response.kind === 'response' && (response.id === undefined || response.id === leg.request?.id);
  if (!isAnswer)
    throw new Fault('TG_UPSTREAM_UNREADABLE', 'the server answered with a message that answers nothing here');
  return response;
}
