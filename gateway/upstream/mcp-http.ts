import { Fault } from '../domain/fault.ts';
import type { McpAnswer, McpRequest, McpServer } from '../ports/mcp-server.ts';
import type { Upstream } from '../ports/upstream.ts';
import type { OwnCredential } from './own-credential.ts';

export interface McpHttpOptions {
  readonly name: string;
  readonly url: string;
  /** one leg per request, no shared transport object (CVE-2026-25536); never follows a redirect */
  readonly upstream: Upstream;
  readonly credential: OwnCredential;
}

/** What a caller sends that is not the server's business, whether or not the gate has a credential of its own. */
const NEVER_SENT = ['authorization', 'cookie', 'origin', 'referer', 'dpop'];

/** What a server says to the gate alone: its challenges and cookies are for its client, which is us. */
const NEVER_RELAYED = new Set(['www-authenticate', 'set-cookie', 'authentication-info']);

async function leave(answer: McpAnswer): Promise<void> {
  await answer.body[Symbol.asyncIterator]().return?.();
}

/** An MCP server that speaks streamable HTTP itself. */
export function openMcpHttp({ name, url, upstream, credential }: McpHttpOptions): McpServer {
  const { origin, pathname, search } = new URL(url);
  const send = async ({ method, headers, body, caller, signal }: McpRequest): Promise<McpAnswer> =>
    upstream.send({
      origin,
      path: pathname + search,
      method,
      headers,
      drop: NEVER_SENT,
      credential: await credential.get(caller),
      body,
      signal,
    });
  return {
    name,
    async exchange(request) {
      let answer = await send(request);
      if (answer.status === 401 && credential.refused(request.caller)) {
        // a 401 comes before anything was done: with a fresh token it is asked again, once
        await leave(answer);
        answer = await send(request);
      }
      if (answer.status === 401 || answer.status === 403) {
        await leave(answer);
        throw new Fault(
          'TG_UPSTREAM_AUTH',
          `the MCP server \`${name}\` refused the gate's own credential (${answer.status}); tell the operator of the gate`,
        );
      }
      const kept = Object.entries(answer.headers).filter(([header]) => !NEVER_RELAYED.has(header));
      return { ...answer, headers: Object.fromEntries(kept) };
    },
    // the connections are the upstream's, which whoever opened it closes
    async close() {},
  };
}
