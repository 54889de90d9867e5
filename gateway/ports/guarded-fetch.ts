/** One request to a place that a peer named, or whose documents decide about access. */
export interface GuardedRequest {
  readonly method: 'GET' | 'POST';
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface GuardedAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: Uint8Array;
}

/**
 * Fetches small documents from places that cannot be trusted (mcp-plane.md 10): https, a public address that the name is resolved to
 * once, no redirects, bounded size and time. Throws a Fault (`TG_UPSTREAM_UNREACHABLE`) that names the host and what is wrong with it.
 */
export type GuardedFetch = (url: string, request?: GuardedRequest) => Promise<GuardedAnswer>;
