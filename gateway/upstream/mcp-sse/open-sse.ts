import type { McpAnswer, McpCaller, McpRequest, McpServer } from '../../ports/mcp-server.ts';
import type { Upstream, UpstreamCredential } from '../../ports/upstream.ts';
import { errorAnswer } from '../mcp-session/answers.ts';
import { eraOfRequest } from '../mcp-session/request-era.ts';
import { type RpcMessage, readMessage } from '../mcp-session/rpc-message.ts';
import { idOf, SessionTable, type TableSettings } from '../mcp-session/session-table.ts';
import { openSseLink } from './sse-link.ts';

export interface SseServerOptions extends TableSettings {
  readonly url: string;
  readonly upstream: Upstream;
  readonly credential: (caller: McpCaller) => Promise<UpstreamCredential | undefined>;
}

/** A server that speaks the transport of 2024-11-05 (HTTP+SSE), made to answer like one over streamable HTTP. */
export function openSseServer(options: SseServerOptions): McpServer {
  const sessions = new SessionTable(options, {
    connect: (events, caller) => openSseLink({ ...options, credential: () => options.credential(caller) }, events),
    gone: () => undefined,
  });
  return {
    name: options.name,
    async exchange(request: McpRequest): Promise<McpAnswer> {
      if (request.method !== 'POST') return sessions.verb(request);
      let message: RpcMessage;
      try {
        message = readMessage(request.body ?? new Uint8Array(0));
      } catch (error) {
        const why = error instanceof Error ? error.message : 'it cannot be read';
        return errorAnswer(400, -32700, `this is no JSON-RPC message: ${why}`);
      }
      if (eraOfRequest(message, request.headers['mcp-protocol-version']) === 'modern')
        return errorAnswer(
          400,
          -32600,
          'this server speaks revisions up to 2025-11-25: send `initialize`',
          idOf(message),
        );
      return sessions.post(message, request);
    },
    close: () => sessions.close(),
  };
}
