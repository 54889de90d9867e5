import { Fault } from '../../domain/fault.ts';
import { asString, isObject, member } from '../../domain/json.ts';
import type { McpAnswer } from '../../ports/mcp-server.ts';
import { emptyAnswer, errorAnswer, jsonAnswer, streamAnswer } from './answers.ts';
import { EventStream } from './event-stream.ts';
import type { Link, LinkEvents, SessionSettings } from './link.ts';
import { errorText, type RpcMessage, readMessage, scalarText } from './rpc-message.ts';

/** The first revision whose clients know an event without data (SEP-1699). */
const PRIMED_SINCE = '2025-11-25';
const HIGH_WATER = 1024 * 1024;
/** Streams that are over and may still be resumed. */
const FINISHED_KEPT = 8;
/** The stream for messages that belong to no request. */
const LISTENING = 's0';

/** The longest wait for the answer to `initialize`. */
const OPENING_MS = 60_000;
/** Cancelled requests whose late answer is expected. */
const CANCELLED_KEPT = 128;

interface Waiting {
  readonly stream: EventStream;
  /** the session's `initialize`: nothing but its answer belongs to it */
  readonly opening: boolean;
  /** the request's progress token as JSON text */
  readonly token: string | undefined;
}

export interface SessionEvents {
  /** its link ended by itself after so many milliseconds */
  gone(session: LegacySession, livedMs: number): void;
}

const BY_ITSELF = /^notifications\/(?:.+\/list_changed|resources\/updated)$/;

/** One link and the one session it serves: a server of a revision up to 2025-11-25 behind streamable HTTP. */
export class LegacySession {
  readonly id: string;
  readonly principalId: string;
  readonly #settings: SessionSettings;
  readonly #events: SessionEvents;
  readonly #startedAt: number;
  readonly #waiting = new Map<string, Waiting>();
  readonly #streams = new Map<string, EventStream>();
  readonly #pressing = new Set<string>();
  readonly #cancelled = new Set<string>();
  #link: Link | undefined;
  #listening: EventStream;
  #count = 0;
  #version = '';
  #gone: string | undefined;
  #usedAt: number;

  constructor(id: string, principalId: string, settings: SessionSettings, events: SessionEvents) {
    this.id = id;
    this.principalId = principalId;
    this.#settings = settings;
    this.#events = events;
    this.#startedAt = this.#usedAt = settings.ticks();
    this.#listening = this.#open(LISTENING);
    // nobody listens yet, and perhaps nobody ever does: what waits must not keep the answers back
    this.#listening.leave();
  }

  /** Opens the link. Throws a Fault (`TG_UPSTREAM_UNREACHABLE` or what `connect` throws). */
  async start(connect: (events: LinkEvents) => Promise<Link>): Promise<void> {
    this.#link = await connect({
      message: (bytes) => this.#read(bytes),
      tooLong: () => this.#unreadable(`it is longer than ${this.#settings.messageBytes} bytes`),
      gone: (how) => this.#onGone(how),
    });
    if (this.#gone !== undefined) await this.#link.end();
  }

  get over(): boolean {
    return this.#gone !== undefined || this.#link?.alive === false;
  }

  /** Milliseconds since anything was asked of it or anybody listened. */
  idle(): number {
    const busy = this.#listening.attached || [...this.#waiting.values()].some(({ stream }) => stream.attached);
    if (busy) this.#usedAt = this.#settings.ticks();
    return this.#settings.ticks() - this.#usedAt;
  }

  /** One message of the client. Throws a Fault where the link is gone, or the signal's reason where the caller left. */
  async post(message: RpcMessage, signal: AbortSignal): Promise<McpAnswer> {
    if (message.kind !== 'request') {
      this.#usedAt = this.#settings.ticks();
      await this.#send(message);
      if (message.method === 'notifications/cancelled') this.#cancel(message);
      return emptyAnswer(202);
    }
    if (this.#waiting.has(message.id as string))
      return errorAnswer(400, -32600, 'a request with this `id` is still being served; ids are used once', message.id);
    const stream = await this.#ask(message, false);
    try {
      if ((await stream.first(signal, this.#settings.patienceMs)) !== 'answer')
        return this.#stream(stream, signal, 0, true);
    } catch (error) {
      // the caller left: that is no cancellation, the answer may still be asked for
      stream.leave();
      throw error;
    }
    this.#streams.delete(stream.id);
    return jsonAnswer(stream.takeAnswer(), 'legacy');
  }

  /**
   * The session's `initialize`. Without `mcp-session-id` in the answer the server refused, and there is no session. Throws a Fault:
   * `TG_UPSTREAM_UNREACHABLE`, `TG_UPSTREAM_TIMEOUT`, `TG_UPSTREAM_BROKE` or `TG_UPSTREAM_UNREADABLE`.
   */
  async initialize(message: RpcMessage, signal: AbortSignal): Promise<McpAnswer> {
    const stream = await this.#ask(message, true);
    if ((await stream.first(signal, OPENING_MS)) !== 'answer')
      throw new Fault(
        'TG_UPSTREAM_TIMEOUT',
        `the MCP server \`${this.#settings.name}\` did not answer \`initialize\` within ${OPENING_MS / 1000} seconds`,
      );
    const text = stream.takeAnswer();
    this.#streams.delete(stream.id);
    const { value } = readMessage(Buffer.from(text));
    this.#version = asString(member(value['result'], 'protocolVersion')) ?? '';
    if ('result' in value) return jsonAnswer(text, 'legacy', { 'mcp-session-id': this.id });
    // a server that has no sessions says so over HTTP with a 400, and clients of both eras go on from there (mcp-plane.md 2)
    const { status, ...refusal } = jsonAnswer(text, 'modern');
    return { ...refusal, status: status === 200 ? 200 : 400 };
  }

  /** What the server says by itself; with `lastEventId`, what its reader has missed of that stream. */
  listen(lastEventId: string | undefined, signal: AbortSignal): McpAnswer {
    this.#usedAt = this.#settings.ticks();
    if (lastEventId === undefined) return this.#stream(this.#listening, signal, this.#listening.handed, true);
    const [, id, n] = /^(s[0-9]+)\.([0-9]+)$/.exec(lastEventId) ?? [];
    const stream = this.#streams.get(id ?? '');
    if (!stream?.canResume(Number(n)))
      return errorAnswer(
        400,
        -32600,
        'the events behind this `Last-Event-ID` are not kept any more; repeat the request',
      );
    return this.#stream(stream, signal, Number(n), false);
  }

  /** Ends the session and its link. */
  async end(): Promise<void> {
    this.#gone ??= 'the session was ended';
    await this.#link?.end();
  }

  #stream(stream: EventStream, signal: AbortSignal, after: number, prime: boolean): McpAnswer {
    return streamAnswer(stream, signal, { after, prime: prime && this.#version >= PRIMED_SINCE });
  }

  async #ask(message: RpcMessage, opening: boolean): Promise<EventStream> {
    const id = message.id as string;
    this.#usedAt = this.#settings.ticks();
    this.#count += 1;
    const stream = this.#open(`s${this.#count}`);
    this.#waiting.set(id, { stream, opening, token: progressToken(message) });
    try {
      await this.#send(message);
    } catch (error) {
      this.#waiting.delete(id);
      this.#streams.delete(stream.id);
      throw error;
    }
    return stream;
  }

  /** A cancelled request is not answered, so nobody waits for it any more. */
  #cancel(message: RpcMessage): void {
    const params = member(message.value, 'params');
    const id = scalarText(message.text, '/params/requestId', member(params, 'requestId')) ?? '';
    const waiting = this.#waiting.get(id);
    if (!waiting) return;
    this.#waiting.delete(id);
    waiting.stream.end();
    this.#cancelled.add(id);
    if (this.#cancelled.size > CANCELLED_KEPT) this.#cancelled.delete(this.#cancelled.values().next().value as string);
  }

  #open(id: string): EventStream {
    const stream = new EventStream({
      id,
      resumable: true,
      highWater: HIGH_WATER,
      pressure: (on) => {
        if (on) this.#pressing.add(id);
        else this.#pressing.delete(id);
        if (this.#pressing.size > 0) this.#link?.pause();
        else this.#link?.resume();
      },
      dropped: () => this.#settings.incident('mcp_undelivered', { server: this.#settings.name }),
    });
    this.#streams.set(id, stream);
    const over = [...this.#streams.values()].filter((s) => s.ended);
    for (const { id: old } of over.slice(0, -FINISHED_KEPT)) this.#streams.delete(old);
    return stream;
  }

  async #send(message: RpcMessage): Promise<void> {
    if (this.over || !this.#link) throw new Fault('TG_UPSTREAM_UNREACHABLE', this.#ended());
    await this.#link.send(message.text);
  }

  #read(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    let message: RpcMessage;
    try {
      message = readMessage(bytes);
    } catch (error) {
      return this.#unreadable(error instanceof Error ? error.message : 'it cannot be read');
    }
    const text = message.text.includes('\r') ? message.text.replaceAll('\r', ' ') : message.text;
    if (message.kind !== 'response') return this.#route(message).push(text);
    const waiting = this.#waiting.get(message.id as string);
    if (!waiting) {
      if (!this.#cancelled.delete(message.id as string))
        this.#settings.incident('mcp_unasked', { server: this.#settings.name });
      return;
    }
    this.#waiting.delete(message.id as string);
    waiting.stream.push(text, true);
  }

  /** Where a message goes that is no answer: to the request it names, to the newest that waits, or to who listens. */
  #route(message: RpcMessage): EventStream {
    const waiting = [...this.#waiting.values()].filter(({ opening }) => !opening);
    const token =
      message.method === 'notifications/progress'
        ? scalarText(message.text, '/params/progressToken', member(message.value['params'], 'progressToken'))
        : undefined;
    const named = token === undefined ? undefined : waiting.find((w) => w.token === token)?.stream;
    const newest = BY_ITSELF.test(message.method ?? '') ? undefined : waiting.at(-1)?.stream;
    return named ?? newest ?? this.#listening;
  }

  /** A line that nobody could read alike is not passed on. Which request it was meant for cannot be known, so none goes on waiting. */
  #unreadable(why: string): void {
    const message = `the MCP server \`${this.#settings.name}\` sent something that is no message: ${why}`;
    this.#settings.incident('mcp_unreadable', { server: this.#settings.name, why, waiting: this.#waiting.size });
    this.#fail(new Fault('TG_UPSTREAM_UNREADABLE', message));
  }

  #fail(fault: Fault): void {
    for (const [id, { stream, opening }] of this.#waiting) {
      if (opening) stream.end(fault);
      else stream.push(errorText(id, -32603, fault.message, fault.code), true);
    }
    this.#waiting.clear();
  }

  #ended(): string {
    return `the session with the MCP server \`${this.#settings.name}\` ended (${this.#gone ?? 'closing'}); start a new one`;
  }

  #onGone(how: string): void {
    const unasked = this.#gone === undefined;
    this.#gone ??= how;
    this.#fail(new Fault('TG_UPSTREAM_BROKE', this.#ended()));
    this.#listening.end();
    if (!unasked) return;
    this.#settings.incident('mcp_ended', { server: this.#settings.name, how });
    this.#events.gone(this, this.#settings.ticks() - this.#startedAt);
  }
}

/** The progress token of a request as JSON text. */
function progressToken({ text, value }: RpcMessage): string | undefined {
  const meta = member(value['params'], '_meta');
  return isObject(meta) ? scalarText(text, '/params/_meta/progressToken', meta['progressToken']) : undefined;
}
