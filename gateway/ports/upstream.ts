import type { Headers } from './dialect.ts';

/** Keys that sign each request (Signature Version 4) and where they are used. */
export interface SigningKeys {
  readonly region: string;
  readonly service?: string | undefined;
  readonly access_key_id: string;
  readonly secret_access_key: string;
  readonly session_token?: string | undefined;
}

/** A credential of the gate's own: a bearer token, a header, or keys to sign with. */
export type UpstreamCredential =
  | { readonly bearer: string }
  | { readonly header: string; readonly value: string }
  | { readonly sigv4: SigningKeys };

export interface UpstreamRequest {
  /** scheme, host and port */
  readonly origin: string;
  /** path and query */
  readonly path: string;
  readonly method: string;
  /** the caller's, as they arrived; hop-by-hop, forwarding and the gate's own headers are left out by the adapter */
  readonly headers: Headers;
  /** further headers to leave out, lower case: the caller's credential where the gate has its own */
  readonly drop: readonly string[];
  readonly credential: UpstreamCredential | undefined;
  readonly body: Uint8Array | undefined;
  readonly signal: AbortSignal;
}

export interface UpstreamReply {
  readonly status: number;
  /** ready to be sent on: hop-by-hop headers, length and content coding are gone */
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  /** Decoded chunks as they come; not asking for the next one stops reading from the socket. Throws a Fault where the connection breaks. */
  readonly body: AsyncIterable<Uint8Array>;
}

/** Carries one request to a provider. No time limit on a body that keeps coming; a limit on the wait for its head and between chunks. */
export interface Upstream {
  /** Throws a Fault: `TG_UPSTREAM_UNREACHABLE` (certainly not served), `TG_UPSTREAM_TIMEOUT` or `TG_UPSTREAM_BROKE` (perhaps served). */
  send(request: UpstreamRequest): Promise<UpstreamReply>;
  close(): Promise<void>;
}
