import type { Headers } from './dialect.ts';
import type { UpstreamCredential, UpstreamReply } from './upstream.ts';

/** One message of a WebSocket, whole. */
export interface SocketMessage {
  readonly bytes: Uint8Array;
  readonly binary: boolean;
}

/** How a socket was closed: by the other side's words, or 1006 where it broke. */
export interface SocketEnding {
  readonly code: number;
  readonly reason: string;
}

/** One end of an open WebSocket. Pings are answered and sent by the end itself; a peer that is gone without a word is found out. */
export interface SocketEnd {
  /** Messages in order, for one reader; not asking for the next one stops reading from the socket. Ends when the socket has closed. */
  readonly messages: AsyncIterable<SocketMessage>;
  readonly closed: Promise<SocketEnding>;
  /** Sends one text message. A promise where the other side has to read first; it resolves also when the socket closes. Never throws. */
  send(text: Uint8Array | string): Promise<void> | undefined;
  /** Says goodbye; a peer that does not answer within a few seconds is cut off. Codes that may not be sent become 1011. */
  close(code: number, reason: string): void;
  cut(): void;
}

/** A socket to open at a provider. */
export interface SocketRequest {
  /** scheme (http or https), host and port */
  readonly origin: string;
  /** path and query */
  readonly path: string;
  /** the caller's, as they arrived; those of the handshake itself are left out by the adapter */
  readonly headers: Headers;
  /** further headers to leave out, lower case */
  readonly drop: readonly string[];
  readonly credential: UpstreamCredential | undefined;
  /** subprotocols to offer */
  readonly protocols: readonly string[];
  /** a larger message closes the socket with 1009 */
  readonly maxBytes: number;
  readonly signal: AbortSignal;
}

/** What became of a handshake: open, or the provider's own answer to it. */
export type SocketAnswer =
  | { readonly open: SocketEnd; readonly protocol: string }
  | { readonly open: undefined; readonly reply: UpstreamReply };

/** Opens WebSockets at providers. */
export interface UpstreamSockets {
  /** Throws a Fault (`TG_UPSTREAM_UNREACHABLE`, `TG_UPSTREAM_TIMEOUT`), or the signal's own reason where it aborts. */
  connect(request: SocketRequest): Promise<SocketAnswer>;
}
