import { Fault } from '../../domain/fault.ts';
import type { McpAnswer } from '../../ports/mcp-server.ts';
import type { McpEvent, McpEventReader, RpcMessage } from '../../ports/mcp-wire.ts';
import { gateHeaders } from '../say.ts';
import { eventMark } from './event-mark.ts';
import { headersForCaller } from './headers.ts';
import { judgeMessage } from './judge-message.ts';
import type { Leg } from './leg.ts';
import { listenerOf } from './listener-of.ts';
import { mayPassUnread, PASS_FROM, PassingRelay } from './pass-unread.ts';
import { answered, type Relayed, type Review, unreadable } from './relayed.ts';
import { fromServer } from './server-request.ts';

/** Relays a stream one whole event at a time: what no verdict touches keeps its bytes, and never half a message is passed on. */
export async function relayEvents(leg: Leg, answer: McpAnswer, review: Review): Promise<Relayed> {
  const stream = new EventRelay(leg, answer, review);
  const listener = listenerOf(leg);
  const stop = listener && leg.seat.room.listeners.add(listener);
  try {
    for await (const chunk of answer.body) await stream.take(chunk);
  } finally {
    stop?.();
  }
  return stream.end();
}

class EventRelay {
  readonly #leg: Leg;
  readonly #answer: McpAnswer;
  readonly #review: Review;
  readonly #reader: McpEventReader;
  /** the session handle is in the head, and what it seals is in the first answer: until then nothing is sent */
  #held: Uint8Array[] | undefined;
  #passing: PassingRelay | undefined;
  #relayed: Relayed | undefined;
  #mayPass: boolean;
  readonly #mark: string;

  constructor(leg: Leg, answer: McpAnswer, review: Review) {
    const { room } = leg.seat;
    this.#leg = leg;
    this.#answer = answer;
    this.#review = review;
    this.#mayPass = mayPassUnread(leg);
    this.#mark = eventMark(leg);
    this.#reader = room.wire.openEvents(room.limits.message.bytes);
    if (leg.request?.method === 'initialize') this.#held = [];
    else this.#open(undefined);
  }

  async take(chunk: Uint8Array): Promise<void> {
    if (this.#passing) return this.#pass(this.#passing, chunk);
    for (const event of this.#reader.push(chunk)) {
      const passed = await passEvent(this.#leg, event, this.#review, this.#relayed !== undefined);
      if (passed.relayed) this.#relayed = passed.relayed;
      if (this.#held && passed.relayed) await this.#release(passed.headers);
      if (passed.bytes) await this.#send(this.#marked(passed.bytes));
    }
    if (this.#mayPass && !this.#relayed && this.#reader.pending > PASS_FROM) await this.#begin();
  }

  async end(): Promise<Relayed> {
    const { request, era, errand } = this.#leg;
    if (this.#passing) {
      errand.visit.reply.cut();
      throw new Fault('TG_UPSTREAM_BROKE', 'the server broke off in the middle of its answer');
    }
    if (!this.#relayed && request && era === 'modern')
      throw new Fault('TG_UPSTREAM_BROKE', 'the server ended its stream without an answer');
    if (this.#held) await this.#release(undefined);
    errand.visit.reply.end();
    if (!this.#relayed) remember(this.#leg);
    return this.#relayed ?? { ending: 'completed', failed: request !== undefined };
  }

  #open(headers: Readonly<Record<string, string>> | undefined): void {
    const { reply, trail, gate } = this.#leg.errand.visit;
    trail.stream = true;
    trail.status = this.#answer.status;
    trail.firstByteTicks = gate.clock.ticks();
    reply.head(this.#answer.status, {
      ...headersForCaller(this.#answer.headers, this.#leg.errand.session),
      ...gateHeaders(trail),
      ...headers,
      'x-accel-buffering': 'no',
    });
  }

  async #release(headers: Readonly<Record<string, string>> | undefined): Promise<void> {
    const held = this.#held ?? [];
    this.#held = undefined;
    this.#open(headers);
    for (const bytes of held) await this.#send(bytes);
  }

  async #send(bytes: Uint8Array): Promise<void> {
    if (this.#held) this.#held.push(bytes);
    else await this.#leg.errand.visit.reply.write(bytes);
  }

  /** A large answer that nobody has to see whole: what came of it passes, if it shows already that it is a result. */
  async #begin(): Promise<void> {
    const passing = new PassingRelay(this.#leg);
    const bytes = this.#reader.unfinished();
    const { data } = this.#reader.pass(bytes);
    if (!passing.begins(data)) {
      this.#mayPass = false;
      for (const event of this.#reader.push(bytes)) await this.#send(this.#marked(event.bytes));
      return;
    }
    this.#passing = passing;
    await this.#send(this.#marked(bytes));
  }

  #marked(bytes: Uint8Array): Uint8Array {
    return this.#mark === '' ? bytes : this.#leg.seat.room.wire.withMarkedId(bytes, this.#mark);
  }

  async #pass(passing: PassingRelay, chunk: Uint8Array): Promise<void> {
    const { bytes, data, after } = this.#reader.pass(chunk);
    try {
      for (const piece of data) passing.check(piece);
      if (after) this.#relayed = passing.end();
    } catch (error) {
      this.#leg.errand.visit.reply.cut();
      throw error;
    }
    await this.#send(bytes);
    if (!after) return;
    this.#passing = undefined;
    if (after.length > 0) await this.take(after);
  }
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

async function passEvent(leg: Leg, event: McpEvent, review: Review, isAnswered: boolean): Promise<Passed> {
  if (event.data === undefined || event.data === '') return { bytes: event.bytes };
  const message = readEvent(leg, event.data);
  if (message.kind === 'response') {
    const request = requestOf(leg, message);
    if (!request || (isAnswered && request === leg.request)) return stray(leg);
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
async function notify(leg: Leg, event: McpEvent, message: RpcMessage): Promise<Passed> {
  const { seat } = leg;
  try {
    const { message: passed } = await judgeMessage(seat, message, seat.room.wire.brought, seat.room.limits.message);
    return { bytes: bytesOf(leg, event, message, passed) };
  } catch (error) {
    if (!(error instanceof Fault) || error.code !== 'TG_POLICY_DENIED') throw error;
    return { bytes: undefined };
  }
}
