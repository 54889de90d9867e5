import { Fault } from '../../domain/fault.ts';
import { asString, isObject, member } from '../../domain/json.ts';
import { type Splice, spliceAll } from '../../domain/json-splice.ts';
import type { McpAnswer, McpCaller } from '../../ports/mcp-server.ts';
import { emptyAnswer, jsonAnswer, streamAnswer } from '../mcp-session/answers.ts';
import { EventStream } from '../mcp-session/event-stream.ts';
import { errorText, lineOf, type RpcMessage, readMessage, scalarText } from '../mcp-session/rpc-message.ts';
import { type Child, startChild } from './child.ts';
import { serverLog } from './server-log.ts';
import type { StdioSettings } from './settings.ts';

const SUBSCRIPTION = 'io.modelcontextprotocol/subscriptionId';
const AT_SUBSCRIPTION = '/_meta/io.modelcontextprotocol~1subscriptionId';
const LOG_LEVEL = 'io.modelcontextprotocol/logLevel';
/** Characters that may wait for a slow reader; beyond, its leg is cut, because the process serves others too. */
const HIGH_WATER = 32 * 1024 * 1024;

/** One request on its way, with what the client called it. */
interface Leg {
  readonly stream: EventStream;
  readonly principalId: string;
  /** the client's id as JSON text */
  readonly id: string;
  /** its progress token as JSON text, where it asked for progress */
  readonly token: string | undefined;
  readonly logs: boolean;
}

export interface ProcessEvents {
  /** the process ended by itself after so many milliseconds */
  gone(process: ModernProcess, livedMs: number): void;
}

/**
 * One process of a stateless stdio server (2026-07-28 and later) for any number of callers: ids, progress tokens and subscription ids
 * are ours towards the server and the client's towards the client, so that no answer crosses (CVE-2026-25536).
 */
export class ModernProcess {
  readonly #settings: StdioSettings;
  readonly #events: ProcessEvents;
  readonly #startedAt: number;
  readonly #log: ReturnType<typeof serverLog>;
  /** by our id */
  readonly #legs = new Map<string, Leg>();
  readonly #forgotten = new Set<string>();
  #child: Child | undefined;
  #count = 0;
  #gone: string | undefined;
  #usedAt: number;

  constructor(settings: StdioSettings, events: ProcessEvents) {
    this.#settings = settings;
    this.#events = events;
    this.#startedAt = this.#usedAt = settings.ticks();
    this.#log = serverLog({ ...settings, server: settings.name, secrets: Object.values(settings.command.env) });
  }

  /** Starts the process. Throws a Fault (`TG_UPSTREAM_UNREACHABLE`). */
  async start(): Promise<void> {
    this.#child = await startChild(this.#settings.command, this.#settings.messageBytes, {
      line: (bytes) => this.#line(bytes),
      tooLong: () => this.#unreadable(`it is longer than ${this.#settings.messageBytes} bytes`),
      stderr: (chunk) => this.#log.push(chunk),
      gone: (how) => this.#onGone(how),
    });
  }

  get over(): boolean {
    return this.#gone !== undefined || this.#child?.alive === false;
  }

  /** Milliseconds since it had nothing to do. */
  idle(): number {
    if (this.#legs.size > 0) this.#usedAt = this.#settings.ticks();
    return this.#settings.ticks() - this.#usedAt;
  }

  /** One message of a client. When `signal` aborts, the request is cancelled. Throws a Fault or the signal's reason. */
  async post(message: RpcMessage, caller: McpCaller, signal: AbortSignal): Promise<McpAnswer> {
    this.#usedAt = this.#settings.ticks();
    if (message.kind !== 'request') {
      this.#notify(message, caller);
      return emptyAnswer(202);
    }
    signal.throwIfAborted();
    const { stream, ours } = this.#ask(message, caller.principalId);
    const cancel = (): void => this.#abandon(ours, 'the caller closed its response');
    signal.addEventListener('abort', cancel, { once: true });
    const came = await stream.first(signal, this.#settings.patienceMs);
    if (came !== 'answer') return streamAnswer(stream, signal, { after: 0, prime: false });
    signal.removeEventListener('abort', cancel);
    return jsonAnswer(stream.takeAnswer(), 'modern');
  }

  /** Asks on behalf of the gate; resolves with the answer's text, undefined: none came in time. */
  async probe(message: RpcMessage, ms: number): Promise<string | undefined> {
    const { stream, ours } = this.#ask(message, '');
    const came = await stream.first(new AbortController().signal, ms);
    if (came === 'answer') return stream.takeAnswer();
    this.#abandon(ours, 'no answer in time');
    return undefined;
  }

  /** Ends the process and all it started. */
  async end(): Promise<void> {
    this.#gone ??= 'it was closed';
    await this.#child?.end();
  }

  #ask(message: RpcMessage, principalId: string): { stream: EventStream; ours: string } {
    if (this.over || !this.#child) throw new Fault('TG_UPSTREAM_UNREACHABLE', this.#ended());
    this.#count += 1;
    const ours = String(this.#count);
    const params = member(message.value, 'params');
    const meta = member(params, '_meta');
    const token = isObject(meta)
      ? scalarText(message.text, '/params/_meta/progressToken', meta['progressToken'])
      : undefined;
    const splices: Splice[] = [{ at: '/id', json: ours }];
    if (token !== undefined) splices.push({ at: '/params/_meta/progressToken', json: ours });
    const line = lineOf(spliceAll(message.text, splices));
    const stream: EventStream = new EventStream({
      id: ours,
      resumable: false,
      highWater: HIGH_WATER,
      pressure: (on) => on && this.#cut(ours, stream),
    });
    this.#child.write(line);
    const logs = isObject(meta) && meta[LOG_LEVEL] !== undefined;
    this.#legs.set(ours, { stream, principalId, id: message.id as string, token, logs });
    return { stream, ours };
  }

  /** A cancellation names the client's id: it is meant for the one leg of this caller that has it. Anything else passes as it is. */
  #notify(message: RpcMessage, { principalId }: McpCaller): void {
    if (this.over || !this.#child) throw new Fault('TG_UPSTREAM_UNREACHABLE', this.#ended());
    if (message.method !== 'notifications/cancelled') {
      this.#child.write(lineOf(message.text));
      return;
    }
    const requestId = member(member(message.value, 'params'), 'requestId');
    const id = scalarText(message.text, '/params/requestId', requestId);
    const meant = [...this.#legs].filter(([, leg]) => leg.id === id && leg.principalId === principalId);
    const [ours, leg] = meant[0] ?? [];
    // two legs of one caller with one id: which one cannot be known, and cancelling the wrong one would be worse than none
    if (ours === undefined || meant.length > 1) return;
    this.#child.write(lineOf(spliceAll(message.text, [{ at: '/params/requestId', json: ours }])));
    this.#forget(ours);
    leg?.stream.end();
  }

  #abandon(ours: string, reason: string): void {
    if (!this.#legs.has(ours)) return;
    this.#forget(ours);
    const params = { requestId: Number(ours), reason };
    if (!this.over)
      this.#child?.write(lineOf(JSON.stringify({ jsonrpc: '2.0', method: 'notifications/cancelled', params })));
  }

  #forget(ours: string): void {
    this.#legs.delete(ours);
    this.#forgotten.add(ours);
    if (this.#forgotten.size > 1024) this.#forgotten.delete(this.#forgotten.values().next().value as string);
  }

  #cut(ours: string, stream: EventStream): void {
    this.#abandon(ours, 'the caller reads too slowly');
    stream.end(new Fault('TG_UPSTREAM_BROKE', 'the answer was not read fast enough and was cut'));
  }

  #line(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    let message: RpcMessage;
    try {
      message = readMessage(bytes);
    } catch (error) {
      return this.#unreadable(error instanceof Error ? error.message : 'it cannot be read');
    }
    if (message.kind === 'response') return this.#answer(message);
    if (message.kind === 'request') return this.#refuseRequest(message);
    this.#route(message);
  }

  #answer(message: RpcMessage): void {
    const ours = message.id as string;
    const leg = this.#legs.get(ours);
    if (!leg) {
      if (!this.#forgotten.delete(ours)) this.#incident('mcp_unasked');
      return;
    }
    this.#legs.delete(ours);
    const splices: Splice[] = [{ at: '/id', json: leg.id }];
    const meta = member(message.value['result'], '_meta');
    if (isObject(meta) && meta[SUBSCRIPTION] !== undefined)
      splices.push({ at: `/result${AT_SUBSCRIPTION}`, json: leg.id });
    leg.stream.push(oneLine(spliceAll(message.text, splices)), true);
  }

  /** A notification belongs to the leg that its token or subscription names; a log message to who asked for one. */
  #route(message: RpcMessage): void {
    const params = member(message.value, 'params');
    const meta = member(params, '_meta');
    const subscription = isObject(meta)
      ? scalarText(message.text, `/params${AT_SUBSCRIPTION}`, meta[SUBSCRIPTION])
      : undefined;
    const token = scalarText(message.text, '/params/progressToken', member(params, 'progressToken'));
    const ours = subscription ?? (message.method === 'notifications/progress' ? token : undefined);
    const leg = ours === undefined ? this.#logReader(message) : this.#legs.get(unquoted(ours));
    if (!leg) {
      if (ours === undefined || !this.#forgotten.has(unquoted(ours))) this.#incident('mcp_undelivered');
      return;
    }
    const splices: Splice[] = [];
    if (subscription !== undefined) splices.push({ at: `/params${AT_SUBSCRIPTION}`, json: leg.id });
    if (ours === token && ours !== undefined) splices.push({ at: '/params/progressToken', json: leg.token ?? leg.id });
    leg.stream.push(oneLine(spliceAll(message.text, splices)));
  }

  /** A log message names no request. It is delivered only where all that is under way is one caller's. */
  #logReader(message: RpcMessage): Leg | undefined {
    if (message.method !== 'notifications/message') return undefined;
    const legs = [...this.#legs.values()];
    if (new Set(legs.map(({ principalId }) => principalId)).size !== 1) return undefined;
    return legs.findLast(({ logs }) => logs);
  }

  /** A stateless server has nobody to ask. It is told so, and a request that waits alone is failed (mcp-plane.md 3). */
  #refuseRequest(message: RpcMessage): void {
    this.#incident('mcp_refused_request');
    const why = 'a server of this revision sends no requests; ask with `input_required`';
    this.#child?.write(lineOf(errorText(message.id as string, -32601, why)));
    if (this.#legs.size === 1)
      this.#fail(
        new Fault(
          'TG_UPSTREAM_UNREADABLE',
          `the MCP server \`${this.#settings.name}\` sent a request, which its revision forbids`,
        ),
      );
  }

  #unreadable(why: string): void {
    this.#incident('mcp_unreadable', { why, waiting: this.#legs.size });
    const message = `the MCP server \`${this.#settings.name}\` sent something that is no message: ${why}`;
    this.#fail(new Fault('TG_UPSTREAM_UNREADABLE', message));
  }

  #fail(fault: Fault): void {
    for (const [ours, { stream, id }] of this.#legs) {
      this.#forget(ours);
      stream.push(errorText(id, -32603, fault.message, fault.code), true);
    }
  }

  #incident(
    name: Parameters<StdioSettings['incident']>[0],
    detail: Readonly<Record<string, string | number>> = {},
  ): void {
    this.#settings.incident(name, { server: this.#settings.name, ...detail });
  }

  #ended(): string {
    return `the process of the MCP server \`${this.#settings.name}\` ended (${this.#gone ?? 'closing'}); repeat the request`;
  }

  #onGone(how: string): void {
    this.#log.end();
    const unasked = this.#gone === undefined;
    this.#gone ??= how;
    this.#fail(new Fault('TG_UPSTREAM_BROKE', this.#ended()));
    if (!unasked) return;
    this.#incident('mcp_ended', { how });
    this.#events.gone(this, this.#settings.ticks() - this.#startedAt);
  }
}

const oneLine = (text: string): string => (text.includes('\r') ? text.replaceAll('\r', ' ') : text);

/** Our ids are numbers; some servers write them back as text. */
const unquoted = (id: string): string => asString(JSON.parse(id)) ?? id;
