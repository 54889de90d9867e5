import { randomBytes, randomUUID } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ToolListChangedNotificationSchema } from '@modelcontextprotocol/sdk/types.js';
import { afterEach, expect, it, vi } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { startTestGate, type TestGate } from '../support/gate.ts';
import { listening, type McpFixture, startLegacyFixture } from '../support/mcp-fixture.ts';
import { everythingServer } from '../support/mcp-tools.ts';

const cleanup: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of cleanup.splice(0).reverse()) await close();
});

/** A server that knows its sessions and says to each call which session made it. */
async function sessionServer(): Promise<McpFixture> {
  const sessions = new Set<string>();
  const server = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    request.on('end', () => {
      const id = /"id":("[^"]*"|[0-9]+)/.exec(text)?.[1] ?? '0';
      let session = request.headers['mcp-session-id'] as string | undefined;
      let result: unknown = { tools: [{ name: 'who', description: 'tells', inputSchema: { type: 'object' } }] };
      if (text.includes('"initialize"')) {
        session = randomUUID();
        sessions.add(session);
        result = { protocolVersion: '2025-11-25', capabilities: {}, serverInfo: { name: 's', version: '1' } };
      } else if (session === undefined || !sessions.has(session)) {
        response.writeHead(404, { 'content-type': 'application/json' });
        response.end(`{"jsonrpc":"2.0","id":${id},"error":{"code":-32001,"message":"no session"}}`);
        return;
      } else if (text.includes('"tools/call"')) result = { content: [{ type: 'text', text: session }] };
      response.writeHead(200, { 'content-type': 'application/json', 'mcp-session-id': session });
      response.end(`{"jsonrpc":"2.0","id":${id},"result":${JSON.stringify(result)}}`);
    });
  });
  return listening(server);
}

/** A gate in front of such servers, by the names they have there. */
async function sessionGate(...names: readonly string[]): Promise<TestGate> {
  const fixture = await sessionServer();
  cleanup.push(() => fixture.close());
  const servers = Object.fromEntries(['s', ...names].map((name) => [name, { url: fixture.url }]));
  const gate = await startTestGate({ upstreams: {}, config: { mcp: { servers, pins: { mode: 'first-use' } } } });
  cleanup.push(() => gate.remove());
  return gate;
}

it('500 sessions at once, each its own, with the same ids of requests', async () => {
  const gate = await sessionGate();
  const post = async (body: unknown, session?: string) => {
    const reply = await fetch(`${gate.url}/mcp/s`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        ...(session !== undefined && { 'mcp-session-id': session, 'mcp-protocol-version': '2025-11-25' }),
      },
      body: JSON.stringify(body),
    });
    const said = (await reply.json()) as { result?: { content?: { text: string }[] } };
    return { status: reply.status, session: reply.headers.get('mcp-session-id'), said };
  };
  const start = {
    jsonrpc: '2.0',
    id: 1,
    method: 'initialize',
    params: { protocolVersion: '2025-11-25', capabilities: {} },
  };
  const opened = await Promise.all(Array.from({ length: 500 }, () => post(start)));
  const handles = opened.map((o) => o.session as string);
  expect(new Set(handles).size).toBe(500);
  const who = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'who', arguments: {} } };
  const twice = await Promise.all([...handles, ...handles].map((handle) => post(who, handle)));
  const named = twice.map(({ said }) => said.result?.content?.[0]?.text ?? '');
  expect(new Set(named).size).toBe(500);
  // a server that repeats its session repeats, to the caller, the caller's
  expect(twice.map((t) => t.session)).toEqual([...handles, ...handles]);
  expect(named.slice(0, 500)).toEqual(named.slice(500));
  expect(twice.every(({ said }) => !handles.includes(said.result?.content?.[0]?.text ?? ''))).toBe(true);
}, 120_000);

it('another legacy revision in the version header is the server’s to judge, one nobody knows is refused (2025-11-25, basic/transports)', async () => {
  const gate = await sessionGate();
  const post = (method: string, params: unknown, headers: Record<string, string> = {}) =>
    fetch(`${gate.url}/mcp/s`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream', ...headers },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
    });
  const opened = await post('initialize', { protocolVersion: '2025-11-25', capabilities: {} });
  const session = opened.headers.get('mcp-session-id') ?? '';
  const status = async (version: string): Promise<number> => {
    const headers = { 'mcp-session-id': session, 'mcp-protocol-version': version };
    return (await post('tools/call', { name: 'who', arguments: {} }, headers)).status;
  };
  expect(await status('2025-11-25')).toBe(200);
  expect(await status('2025-03-26')).toBe(200);
  expect(await status('2025-12-24')).toBe(400);
  expect(await status('new')).toBe(400);
});

it('another caller’s session is unknown, with a key of its own', async () => {
  const gate = await sessionGate('other');
  const post = (path: string, session?: string) =>
    fetch(`${gate.url}${path}`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        ...(session !== undefined && { 'mcp-session-id': session }),
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: session ? 'tools/list' : 'initialize', params: {} }),
    });
  const handle = (await post('/mcp/s')).headers.get('mcp-session-id') ?? '';
  expect((await post('/mcp/s', handle)).status).toBe(200);
  // the same caller, another server
  expect((await post('/mcp/other', handle)).status).toBe(404);
  expect((await post('/mcp/s', `${handle}A`)).status).toBe(404);
});

it('a session opened at one gate goes on at another with the same seal keys, and at no other', async () => {
  const fixture = await sessionServer();
  cleanup.push(() => fixture.close());
  const start = async (key: Buffer) => {
    const gate = await startTestGate({
      upstreams: {},
      config: {
        mcp: {
          servers: { s: { url: fixture.url } },
          pins: { mode: 'first-use' },
          seal_keys: [key.toString('base64')],
        },
      },
    });
    cleanup.push(() => gate.remove());
    return gate;
  };
  const key = randomBytes(32);
  const [one, two, three] = [await start(key), await start(key), await start(randomBytes(32))];
  const post = (gate: TestGate, method: string, session?: string) =>
    fetch(`${gate.url}/mcp/s`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        ...(session !== undefined && { 'mcp-session-id': session }),
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { name: 'who' } }),
    });
  const handle = (await post(one, 'initialize')).headers.get('mcp-session-id') ?? '';
  const said = await Promise.all([one, two].map(async (gate) => (await post(gate, 'tools/call', handle)).text()));
  expect(said[0]).toContain('content');
  expect(said[1]).toBe(said[0]);
  expect((await post(three, 'tools/call', handle)).status).toBe(404);
}, 30_000);

it('an open stream hears that a list changed when the rules do', async () => {
  const fixture = await startLegacyFixture(everythingServer);
  cleanup.push(() => fixture.close());
  const gate = await startTestGate({
    upstreams: {},
    config: { mcp: { servers: { files: { url: fixture.url } }, pins: { mode: 'first-use' } } },
  });
  cleanup.push(() => gate.remove());
  const client = new Client({ name: 'test', version: '1' });
  const heard = vi.fn();
  client.setNotificationHandler(ToolListChangedNotificationSchema, heard);
  await client.connect(new StreamableHTTPClientTransport(new URL(`${gate.url}/mcp/files`)));
  cleanup.push(() => client.close());
  expect((await client.listTools()).tools.map((t) => t.name)).toContain('delete');
  await eventually(() => fixture.seen.some((s) => s.method === 'GET'));
  await new Promise((resolve) => setTimeout(resolve, 200));
  heard.mockClear();
  writeFileSync(
    join(gate.folder, 'policies', 'test', 'policy.yaml'),
    'policy: tollgate/v1\nname: test\ndefault: allow\nrules:\n  - { id: no, at: pre_tool_call, tools: [delete], verdict: deny, reason: never }\n',
  );
  gate.running.reload();
  await eventually(() => heard.mock.calls.length > 0);
  expect((await client.listTools()).tools.map((t) => t.name)).not.toContain('delete');
  const denied = await client.callTool({ name: 'delete', arguments: { path: 'x' } });
  expect(denied.isError).toBe(true);
}, 30_000);
