import type { McpAnswer, McpCaller, McpRequest, McpServer } from '../ports/mcp-server.ts';
import type { Upstream, UpstreamCredential } from '../ports/upstream.ts';

export interface McpHttpOptions {
  readonly name: string;
  readonly url: string;
  /** one leg per request, no shared transport object (CVE-2026-25536); never follows a redirect */
  readonly upstream: Upstream;
  /** The gate's own credential, fetched for each request. Throws a Fault (`TG_UPSTREAM_AUTH`) where it cannot be had. */
  readonly credential: (caller: McpCaller) => Promise<UpstreamCredential | undefined>;
}

/** An MCP server that speaks streamable HTTP itself. */
export function openMcpHttp({ name, url, upstream, credential }: McpHttpOptions): McpServer {
  const { origin, pathname, search } = new URL(url);
  return {
    name,
    async exchange({ method, headers, body, caller, signal }: McpRequest): Promise<McpAnswer> {
      return upstream.send({
        origin,
        path: pathname + search,
        method,
        headers,
        // the caller's never travels on, whether or not the gate has its own
        drop: ['authorization', 'cookie'],
        credential: await credential(caller),
        body,
        signal,
      });
    },
    // the connections are the upstream's, which whoever opened it closes
    async close() {},
  };
}
