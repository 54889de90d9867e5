import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { SSEServerTransport } from '@modelcontextprotocol/sdk/server/sse.js';
import { ElicitRequestSchema, ToolListChangedNotificationSchema } from '@modelcontextprotocol/sdk/types.js';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { startTestGate, type TestGate } from '../support/gate.ts';
import { everythingServer } from '../support/mcp-tools.ts';

const FIXTURE = resolve(import.meta.dirname, '../support/stdio-server-process.ts');

let folder: string;
const cleanup: (() => unknown)[] = [];
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'tollgate-mcp-sse-')));
  cleanup.push(() => rmSync(folder, { recursive: true, force: true }));
});
afterEach(async () => {
  for (const close of cleanup.splice(0).reverse()) await close();
});

async function gateFor(
  server: unknown,
  mcp: Record<string, unknown> = { sse_legacy: true },
  config: Record<string, unknown> = {},
): Promise<TestGate> {
  const gate = await startTestGate({
    upstreams: {},
    config: {
      mcp: { servers: { old: server }, pins: { mode: 'first-use' }, ...mcp },
      limits: { shutdown_s: 20 },
      ...config,
    },
    policy:
      'policy: tollgate/v1\nname: test\ndefault: allow\nrules:\n  - id: no-env\n    at: pre_tool_call\n    tools: [env]\n    verdict: deny\n    reason: secrets\n',
  });
  cleanup.push(() => gate.remove());
  return gate;
}
const stdio = (): unknown => ({ command: [process.execPath, FIXTURE], env: { PID_FILE: join(folder, 'pids') } });

const newClient = (): Client => {
  const client = new Client({ name: 'test', version: '1' }, { capabilities: { elicitation: {} } });
  client.setRequestHandler(ElicitRequestSchema, () => ({ action: 'accept', content: { sure: true } }));
  return client;
};

async function overSse(gate: TestGate): Promise<Client> {
  const client = newClient();
  await client.connect(new SSEClientTransport(new URL(`${gate.url}/mcp/old/sse`)));
  cleanup.push(() => client.close());
  return client;
}

/** A server of 2024-11-05 made of the official SDK. */
async function oldServer(): Promise<string> {
  const transports = new Map<string, SSEServerTransport>();
  const server = createServer((request, response) => {
    if (request.method === 'GET') {
      const transport = new SSEServerTransport('/messages', response);
      transports.set(transport.sessionId, transport);
      void everythingServer().connect(transport);
      return;
    }
    const id = new URL(request.url ?? '/', 'http://x').searchParams.get('sessionId') ?? '';
    const transport = transports.get(id);
    if (transport) void transport.handlePostMessage(request, response);
    else response.writeHead(404).end();
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  cleanup.push(
    () => server.close(),
    () => server.closeAllConnections(),
  );
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/sse`;
}

const textOf = (result: unknown): string => (result as { content: { text: string }[] }).content[0]?.text ?? '';

describe('a client of 2024-11-05', () => {
  it('lists, calls, hears progress, answers questions and is judged', async () => {
    const gate = await gateFor(stdio());
    const client = await overSse(gate);
    expect((await client.listTools()).tools.length).toBeGreaterThan(10);
    expect(textOf(await client.callTool({ name: 'echo', arguments: { text: 'größe' } }))).toBe('größe');
    const progress: number[] = [];
    await client.callTool({ name: 'progress' }, undefined, { onprogress: (p) => void progress.push(p.progress) });
    expect(progress).toEqual([1, 2]);
    expect(textOf(await client.callTool({ name: 'ask' }))).toContain('accept');
    const denied = await client.callTool({ name: 'env' });
    expect([denied.isError, textOf(denied)]).toEqual([true, expect.stringContaining('test/no-env')]);
    await expect(client.callTool({ name: 'die' })).rejects.toThrow(/-32603|ended/);
  });

  it('hears what the server says by itself', async () => {
    const gate = await gateFor(stdio());
    const client = await overSse(gate);
    const heard = vi.fn();
    client.setNotificationHandler(ToolListChangedNotificationSchema, heard);
    await client.callTool({ name: 'changed' });
    await eventually(() => heard.mock.calls.length > 0);
  });

  it('leaves: its session is ended, and its process with it', async () => {
    const gate = await gateFor(stdio());
    const client = await overSse(gate);
    const pid = Number(textOf(await client.callTool({ name: 'pid' })));
    await client.close();
    await eventually(() => {
      try {
        return process.kill(pid, 0) && false;
      } catch {
        return true;
      }
    });
  });

  it('that listens does not keep the gate from closing', async () => {
    const gate = await gateFor(stdio());
    await overSse(gate);
    const far = newClient();
    await far.connect(new StreamableHTTPClientTransport(new URL(`${gate.url}/mcp/old`)));
    cleanup.push(() => far.close());
    const before = performance.now();
    await gate.stop();
    expect(performance.now() - before).toBeLessThan(10_000);
  });

  it('finds a door only where it is switched on', async () => {
    const gate = await gateFor(stdio(), {});
    await expect(overSse(gate)).rejects.toThrow();
    expect((await fetch(`${gate.url}/mcp/old/sse`)).status).toBe(404);
  });

  it('cannot send on the connection of another, nor without one', async () => {
    const gate = await gateFor(stdio());
    const leave = new AbortController();
    const stream = await fetch(`${gate.url}/mcp/old/sse`, { signal: leave.signal });
    const reader = (stream.body as ReadableStream<Uint8Array>).getReader();
    const first = Buffer.from((await reader.read()).value as Uint8Array).toString();
    const endpoint = /^event: endpoint\ndata: (\/mcp\/old\/messages\?connection=[0-9a-f-]{36})\n\n$/.exec(
      first,
    )?.[1] as string;
    const body = JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'initialize',
      params: { protocolVersion: '2024-11-05', capabilities: {}, clientInfo: { name: 'x', version: '1' } },
    });
    const send = async (path: string, headers: Record<string, string> = {}, text = body): Promise<number> =>
      (
        await fetch(gate.url + path, {
          method: 'POST',
          headers: { 'content-type': 'application/json', ...headers },
          body: text,
        })
      ).status;
    expect(await send('/mcp/old/messages?connection=00000000-0000-0000-0000-000000000000')).toBe(404);
    expect(await send('/mcp/old/messages')).toBe(404);
    expect(await send(endpoint, { origin: 'https://evil.example' })).toBe(403);
    expect(await send(endpoint, { 'x-tollgate-key': 'tg_unknown' })).toBe(401);
    expect(await send(endpoint, {}, '{"jsonrpc":"2.0","id":1,"id":2}')).toBe(400);
    expect(await send(endpoint)).toBe(202);
    leave.abort();
    await eventually(async () => (await send(endpoint)) === 404);
  });

  it('reaches a server of its own age', async () => {
    const gate = await gateFor({ url: await oldServer(), sse_legacy: true });
    const client = await overSse(gate);
    expect((await client.listTools()).tools).toHaveLength(6);
    expect(textOf(await client.callTool({ name: 'echo', arguments: { text: 'old' } }))).toBe('old');
  });
});

describe('a server of 2024-11-05 behind the gate', () => {
  it('serves today’s clients', async () => {
    const gate = await gateFor({ url: await oldServer(), sse_legacy: true }, {});
    const client = newClient();
    await client.connect(new StreamableHTTPClientTransport(new URL(`${gate.url}/mcp/old`)));
    cleanup.push(() => client.close());
    expect((await client.listTools()).tools).toHaveLength(6);
    expect(textOf(await client.callTool({ name: 'echo', arguments: { text: 'hi' } }))).toBe('hi');
  });

  it('is not spoken to in its old way unless it is said to be one', async () => {
    const gate = await gateFor({ url: await oldServer() }, {});
    const client = newClient();
    await expect(client.connect(new StreamableHTTPClientTransport(new URL(`${gate.url}/mcp/old`)))).rejects.toThrow();
  });
});
