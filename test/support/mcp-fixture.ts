import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { createMcpHandler, type McpServer as ModernServer } from '@modelcontextprotocol/server';

export interface McpFixture {
  readonly url: string;
  /** every request's headers, as they came */
  readonly seen: { readonly method: string; readonly headers: IncomingMessage['headers']; readonly text: string }[];
  close(): Promise<void>;
}

/** A legacy server over streamable HTTP with sessions, made of the official SDK. `build` makes one server per session. */
export async function startLegacyFixture(build: () => McpServer): Promise<McpFixture> {
  const transports = new Map<string, StreamableHTTPServerTransport>();
  const seen: McpFixture['seen'] = [];
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    seen.push({ method: request.method ?? '', headers: request.headers, text });
    const id = request.headers['mcp-session-id'];
    let transport = typeof id === 'string' ? transports.get(id) : undefined;
    if (!transport) {
      if (typeof id === 'string') {
        response.writeHead(404, { 'content-type': 'application/json' });
        response.end('{"jsonrpc":"2.0","error":{"code":-32001,"message":"Session not found"},"id":null}');
        return;
      }
      const opened = new StreamableHTTPServerTransport({
        sessionIdGenerator: () => randomUUID(),
        onsessioninitialized: (session) => {
          transports.set(session, opened);
        },
      });
      transport = opened;
      await build().connect(opened);
    }
    await transport.handleRequest(request, response, text === '' ? undefined : (JSON.parse(text) as unknown));
  };
  return listening(
    createServer((request, response) => void handle(request, response)),
    seen,
  );
}

/** A server on a free loopback port. */
export async function listening(server: Server, seen: McpFixture['seen'] = []): Promise<McpFixture> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`,
    seen,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** A modern (2026-07-28) server made of the split packages; legacy requests are refused as such a server refuses them. */
export async function startModernFixture(build: () => ModernServer): Promise<McpFixture> {
  const handler = createMcpHandler(build, { legacy: 'reject' });
  const seen: McpFixture['seen'] = [];
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    seen.push({ method: request.method ?? '', headers: request.headers, text });
    const gone = new AbortController();
    response.on('close', () => gone.abort());
    const answer = await handler.fetch(
      new Request(`http://127.0.0.1${request.url}`, {
        method: request.method ?? 'GET',
        headers: request.headers as Record<string, string>,
        signal: gone.signal,
        ...(text !== '' && { body: text }),
      }),
    );
    response.writeHead(answer.status, Object.fromEntries(answer.headers));
    if (answer.body) for await (const chunk of answer.body) response.write(chunk);
    response.end();
  };
  const fixture = await listening(
    createServer((request, response) => void handle(request, response)),
    seen,
  );
  return {
    ...fixture,
    async close() {
      await handler.close();
      await fixture.close();
    },
  };
}
