import type { JsonObject, JsonText } from '../domain/json.ts';
import type { Usage } from '../domain/usage.ts';
import type { Dialect, Reading, Saying, StreamReader } from './dialect.ts';

/** The part of a client message that a model reads, in the form of a request body. */
export interface SpokenBody {
  readonly reading: Reading;
  /** Reads an edited body the same way. */
  read(doc: JsonText, bytes: number): Reading;
  /** The whole message with this body in the place of its own. */
  message(body: string): string;
}

/** A client message, read. `id` is the client's own name for it, which an error names again. */
export type ClientEvent =
  /** asks for a response: one call */
  | { readonly kind: 'call'; readonly id: string | undefined; readonly lane: string; readonly body: SpokenBody }
  /** adds to what later responses read */
  | { readonly kind: 'context'; readonly id: string | undefined; readonly body: SpokenBody }
  /** carries no text: sound, a cancellation */
  | { readonly kind: 'plain'; readonly id: string | undefined };

/** Something a provider bills beside the responses (the transcription of what was said). */
export interface SideUsage {
  readonly model: string;
  readonly usage: Usage;
}

/** What a message of the provider is about. */
export interface ServerEvent {
  /** id of the response it belongs to; undefined: none */
  readonly response: string | undefined;
  /** responses of one lane begin in the order in which they were asked for */
  readonly lane: string;
  /** it refuses a client message: by its `id` where it says so */
  readonly refuses?: { readonly id: string | undefined } | undefined;
  readonly side?: SideUsage | undefined;
  /** it repeats something of that response and begins none */
  readonly repeats?: boolean | undefined;
  /** a response that must have ended by now, though nothing said so */
  readonly over?: string | undefined;
  /** it answers a message of the gate's own: not for the caller */
  readonly own?: boolean | undefined;
}

/** To whom an error is said. */
export interface Addressee {
  /** the client's own name for its message */
  readonly id?: string | undefined;
  readonly lane?: string | undefined;
}

/** One socket as its messages tell it. Stateful; sees every message of both sides in the order in which they are carried. */
export interface SocketSession {
  /** the model that responses are asked from, as far as it is known */
  readonly model: string;
  /** Reads a client message. Throws a Fault (`TG_BAD_REQUEST`) for what the gate does not know or cannot rely on: it is not carried. */
  hear(doc: JsonText, bytes: number): ClientEvent;
  /** A client message was carried; `body` is its body as it was. */
  carried(event: ClientEvent, body: Reading | undefined): void;
  /** Reads a message of the provider. */
  watch(body: JsonObject, bytes: number): ServerEvent;
  /** The request behind a response that nobody on this socket asked for: the session itself. `text` is its first message. */
  unasked(text: string, body: JsonObject): SpokenBody;
  /** Reads one response: `push` takes one message, frames hold one message, `rewrite` may return several, separated by U+001E. */
  openReader(reading: Reading, lane: string): StreamReader;
  /** An error event. */
  error(saying: Saying, to: Addressee): string;
  /** The message that asks the provider to stop a response; undefined where there is none. */
  cancel(response: string): string | undefined;
  /** What tells the caller that a response ends here, beside the error: the language's terminal event, where an error is none. */
  ended(saying: Saying, response: string, lane: string): readonly string[];
}

/** A wire language over a WebSocket: one socket carries many responses, each is one call. */
export interface SocketLanguage {
  /** True where this path (below the upstream's prefix, query left out) opens such a socket. */
  claims(path: string): boolean;
  upstreamPath(path: string): string;
  /** what stands before the caller's credential in a subprotocol; such a protocol never travels on */
  readonly credentialProtocol: string;
  /** Begins a socket; `path` is what the upstream is asked for, query included. Throws a Fault where it asks for what cannot be metered. */
  open(path: string): SocketSession;
}

/** A language that is spoken over WebSockets too. */
export interface SocketDialect extends Dialect {
  readonly socket: SocketLanguage;
}

export const speaksSockets = (dialect: Dialect): dialect is SocketDialect => 'socket' in dialect;
