import type { Headers } from './dialect.ts';

/** On whose behalf an upstream MCP server is asked. */
export interface McpCaller {
  /** tenant, key or subject, and agent: what handles and per-principal processes are bound to */
  readonly principalId: string;
  /** the caller's own access token; only ever the subject of a token exchange (RFC 8693), never sent on */
  readonly subjectToken?: string | undefined;
}

/** One exchange of the streamable HTTP transport. */
export interface McpRequest {
  readonly method: 'POST' | 'GET' | 'DELETE';
  /** lower case; hop-by-hop, credential and forwarding headers are gone already */
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | undefined;
  readonly caller: McpCaller;
  /** The caller's leg is over: the adapter drops its own. What that means to the server (a cancellation or nothing) is the adapter's era's rule. */
  readonly signal: AbortSignal;
}

export interface McpAnswer {
  readonly status: number;
  readonly headers: Headers;
  /** Decoded chunks as they come; not asking for the next one stops reading. Throws a Fault where the connection breaks. */
  readonly body: AsyncIterable<Uint8Array>;
}

/**
 * An upstream MCP server behind one door: a server over HTTP as it is, a stdio process or an HTTP+SSE server made to answer like one
 * over streamable HTTP (it mints `mcp-session-id`, answers a notification with 202, streams as `text/event-stream`).
 */
export interface McpServer {
  /** our configured key, never `serverInfo.name` */
  readonly name: string;
  /**
   * Throws a Fault: `TG_UPSTREAM_UNREACHABLE` (certainly not served), `TG_UPSTREAM_TIMEOUT` or `TG_UPSTREAM_BROKE` (perhaps served),
   * `TG_UPSTREAM_AUTH` (our own credential was refused or could not be had).
   */
  exchange(request: McpRequest): Promise<McpAnswer>;
  close(): Promise<void>;
}
