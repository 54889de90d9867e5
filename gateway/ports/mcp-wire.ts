import type { Point, TextPart } from '../domain/action.ts';
import type { Fault } from '../domain/fault.ts';
import type { Json, JsonObject, JsonText } from '../domain/json.ts';
import type { Pointer } from '../domain/pointer.ts';
import type { Headers } from './dialect.ts';

/** `legacy`: revisions up to 2025-11-25; `modern`: 2026-07-28 and later. */
export type McpEra = 'legacy' | 'modern';

/** An id as its JSON source text (`7`, `"7"`), so that a number no double holds stays itself. */
export type RpcId = string;

/** One JSON-RPC message that two parsers read alike. */
export interface RpcMessage {
  readonly kind: 'request' | 'notification' | 'response';
  /** undefined on notifications, and on an error that answers nothing readable */
  readonly id: RpcId | undefined;
  /** '' on responses */
  readonly method: string;
  readonly doc: JsonText & { readonly value: JsonObject };
}

/** Bounds of one message. */
export interface WireBounds {
  readonly bytes: number;
  readonly depth: number;
  readonly nodes: number;
}

/** The stretch of a message that is judged: what it is about, where it stands and which of its texts detectors read. */
export interface JudgedPart {
  readonly point: Point;
  /** the tool, or the method where no tool is named */
  readonly tool: string;
  /** where the target stands in the message; undefined: it is composed, and no edit can land in it */
  readonly base: Pointer | undefined;
  readonly target: Json;
  /** relative to the target; frozen ones (member names, vendor `_meta`) are read but never edited */
  readonly parts: readonly TextPart[];
}

/** Something the gate answers itself. */
export interface McpSaying {
  readonly fault: Fault;
  /** the request that is answered; undefined: none that could be read */
  readonly id: RpcId | undefined;
  /** a denied `tools/call` is a result that the model reads, everything else an error */
  readonly asResult: boolean;
  readonly era: McpEra;
  /** the receipt it is recorded under */
  readonly call: string;
}

/** One server-sent event with its bytes, blank line included. */
export interface McpEvent {
  readonly bytes: Uint8Array;
  /** undefined: a comment or a field without data; '' for a priming event */
  readonly data: string | undefined;
  readonly id: string | undefined;
  readonly event: string | undefined;
}

/** A large answer that nobody has to see whole, checked while it passes. Throws a Fault (`TG_UPSTREAM_UNREADABLE`). */
export interface PassingAnswer {
  push(bytes: Uint8Array): void;
  /** It is over. `failed`: the result says so itself. */
  end(): { readonly failed: boolean };
  /** it is a result as far as it came */
  readonly isResult: boolean;
}

export interface PassedChunk {
  readonly bytes: Uint8Array;
  /** what of it is data, without field names and line ends */
  readonly data: readonly Uint8Array[];
  /** undefined: the event goes on */
  readonly after: Uint8Array | undefined;
}

/** Cuts a stream into events. Throws a Fault (`TG_UPSTREAM_UNREADABLE`) for an event larger than it may be. */
export interface McpEventReader {
  push(chunk: Uint8Array): readonly McpEvent[];
  /** what is left after the last complete event; empty at a clean end */
  rest(): Uint8Array;
  /** bytes of the event that is not complete yet */
  readonly pending: number;
  /** Takes the unfinished event out: from here on `pass` is asked until it is over. */
  unfinished(): Uint8Array;
  /** The part of a chunk that still belongs to the event taken out, the data in it, and what comes after, once that event is over. */
  pass(chunk: Uint8Array): PassedChunk;
}

/** The MCP wire language. Pure: no I/O, no clock, no configuration. */
export interface McpWire {
  /** Throws an RpcFault for anything but one message that every parser reads alike (mcp-plane.md 3). */
  read(bytes: Uint8Array, bounds: WireBounds): RpcMessage;
  /** Throws an RpcFault: 415 where the body is not plain JSON. */
  checkMedia(headers: Headers): void;
  /** Which era a request is of, decided by its body (mcp-plane.md 2). Throws an RpcFault where body and headers disagree. */
  eraOf(message: RpcMessage, headers: Headers): McpEra;
  /** `Mcp-Method`, `Mcp-Name` and, where the approved schema is known, `Mcp-Param-*` against the body. Throws an RpcFault (-32020). */
  checkHeaders(message: RpcMessage, headers: Headers, inputSchema: Json | undefined): void;
  /** The header fields a message needs after an edit, lower case; '' where one must go. */
  headersFor(message: RpcMessage, headers: Headers, inputSchema: Json | undefined): Readonly<Record<string, string>>;
  /** What a request or a client's answer asks for, first what decides about it; empty: nothing is judged. */
  asked(message: RpcMessage): readonly JudgedPart[];
  /** What an answer to `request` brings; empty: nothing is judged. */
  answered(request: RpcMessage, response: RpcMessage): readonly JudgedPart[];
  /** What a server's notification or its own request brings. */
  brought(message: RpcMessage): readonly JudgedPart[];
  /** A message read again after its text was edited. Throws an RpcFault. */
  reread(text: string, bounds: WireBounds): RpcMessage;
  /** The body of an answer of the gate's own. */
  say(saying: McpSaying): string;
  openEvents(limit: number): McpEventReader;
  openPassing(id: RpcId, bounds: Pick<WireBounds, 'depth' | 'nodes'>): PassingAnswer;
  /** The event with other data; its other lines stay. */
  withData(event: McpEvent, data: string): Uint8Array;
  /** The bytes of an event, whole or not, with `mark` before its id, where it has one. */
  withMarkedId(bytes: Uint8Array, mark: string): Uint8Array;
  /** A whole event of the gate's own. */
  event(data: string): Uint8Array;
  readonly keepAlive: Uint8Array;
}
