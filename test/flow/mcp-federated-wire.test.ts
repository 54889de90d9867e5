import { createServer } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { startTestGate, type TestGate } from '../support/gate.ts';
import { listening, type McpFixture } from '../support/mcp-fixture.ts';

const cleanup: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of cleanup.splice(0).reverse()) await close();
});

type Rpc = { readonly id: number; readonly method: string; readonly params: Record<string, unknown> };
/** What a server answers: an HTTP status and a result or error, as text so that its bytes are the test's. */
type Answer = (asked: Rpc) => { readonly status?: number; readonly body: string };

const MODERN = '2026-07-28';

async function server(answer: Answer): Promise<McpFixture> {
  const seen: McpFixture['seen'] = [];
  const fixture = await listening(
    createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const text = Buffer.concat(chunks).toString();
      seen.push({ method: request.method ?? '', headers: request.headers, text });
      const asked = JSON.parse(text) as Rpc;
      const { status = 200, body } = answer(asked);
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(`{"jsonrpc":"2.0","id":${asked.id},${body}}`);
    }),
    seen,
  );
  cleanup.push(() => fixture.close());
  return fixture;
}

/** A server of `total` tools, two on a page; its cursors are its own business. */
const paged =
  (name: string, total: number, cursorOf = (at: number): string => `${name}:${at}`): Answer =>
  ({ params }) => {
    const from = typeof params['cursor'] === 'string' ? Number(/[0-9]+$/.exec(params['cursor'])?.[0]) : 0;
    const tools = [...Array(total).keys()]
      .slice(from, from + 2)
      .map((i) => `{"name":"${name}_${i}","inputSchema":{"type":"object", "maximum":12345678901234567890}}`);
    const more = from + 2 < total ? `,"nextCursor":${JSON.stringify(cursorOf(from + 2))}` : '';
    return { body: `"result":{"tools":[${tools.join(',')}]${more}}` };
  };

async function gateFor(servers: Record<string, McpFixture>, more: Record<string, unknown> = {}): Promise<TestGate> {
  const entries = Object.entries(servers).map(([name, { url }]) => [name, { url }]);
  const gate = await startTestGate({
    upstreams: {},
    config: { mcp: { servers: Object.fromEntries(entries), pins: { mode: 'first-use' } }, ...more },
  });
  cleanup.push(() => gate.remove());
  return gate;
}

interface Said {
  readonly status: number;
  readonly text: string;
  readonly result?: { readonly tools?: readonly { readonly name: string }[]; readonly nextCursor?: string };
  readonly error?: { readonly code: number; readonly message: string; readonly data?: Record<string, unknown> };
}

async function ask(
  gate: TestGate,
  method: string,
  params: Record<string, unknown> = {},
  version = MODERN,
): Promise<Said> {
  const meta = {
    'io.modelcontextprotocol/protocolVersion': version,
    'io.modelcontextprotocol/clientCapabilities': {},
    'io.modelcontextprotocol/clientInfo': { name: 'raw', version: '1' },
  };
  const response = await fetch(`${gate.url}/mcp`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': version,
      'mcp-method': method,
      ...(typeof params['name'] === 'string' && { 'mcp-name': params['name'] }),
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 7, method, params: { ...params, _meta: meta } }),
  });
  const text = await response.text();
  return { status: response.status, text, ...(JSON.parse(text) as object) };
}

const names = (said: Said): string[] => (said.result?.tools ?? []).map((t) => t.name);

describe('pages over several servers (mcp-plane.md 7)', () => {
  it('turn together: each holds one page of every server that has one, and every tool comes once', async () => {
    const gate = await gateFor({
      b: await server(paged('x', 5)),
      a: await server(paged('y', 3, (at) => `"\u00fc\n${at}`)),
      c: await server(paged('z', 1)),
    });
    const first = await ask(gate, 'tools/list');
    expect(names(first)).toEqual(['b__x_0', 'b__x_1', 'a__y_0', 'a__y_1', 'c__z_0']);
    expect(first.text).toContain('{"name":"b__x_0","inputSchema":{"type":"object", "maximum":12345678901234567890}}');
    const second = await ask(gate, 'tools/list', { cursor: first.result?.nextCursor });
    expect(names(second)).toEqual(['b__x_2', 'b__x_3', 'a__y_2']);
    const third = await ask(gate, 'tools/list', { cursor: second.result?.nextCursor });
    expect(names(third)).toEqual(['b__x_4']);
    expect(third.result?.nextCursor).toBeUndefined();
    expect(third.result).toMatchObject({ resultType: 'complete', ttlMs: 0, cacheScope: 'private' });
  });

  it('a cursor is sealed: for this list and this caller, and nobody can make one up', async () => {
    const gate = await gateFor({ a: await server(paged('x', 3)), b: await server(paged('y', 3)) });
    const { result } = await ask(gate, 'tools/list');
    expect(result?.nextCursor).not.toContain('x:2');
    for (const [method, cursor] of [
      ['prompts/list', result?.nextCursor],
      ['tools/list', 'x:2'],
      ['tools/list', `${result?.nextCursor}A`],
      ['tools/list', 7],
    ] as const)
      expect((await ask(gate, method, { cursor })).error).toMatchObject({ code: -32602 });
  });

  it('a page that a server cannot give leaves the others', async () => {
    const broken: Answer = ({ id, params }) =>
      params['cursor'] === undefined
        ? paged('y', 3)({ id, method: '', params })
        : { body: '"error":{"code":-32603,"message":"no"}' };
    const gate = await gateFor({ a: await server(paged('x', 3)), b: await server(broken) });
    const { result } = await ask(gate, 'tools/list');
    expect(names(await ask(gate, 'tools/list', { cursor: result?.nextCursor }))).toEqual(['a__x_2']);
  });
});

describe('versions (mcp-plane.md 2)', () => {
  const lacks =
    (...supported: string[]): Answer =>
    ({ params }) => ({
      status: 400,
      body: `"error":{"code":-32022,"message":"unsupported","data":${JSON.stringify({ supported, requested: (params['_meta'] as Record<string, unknown>)['io.modelcontextprotocol/protocolVersion'] })}}`,
    });

  it('are those that all servers have', async () => {
    const gate = await gateFor({
      a: await server(lacks('2026-07-28', '2026-12-01')),
      b: await server(lacks('2026-12-01')),
    });
    expect(await ask(gate, 'tools/list', {}, '2027-01-01')).toMatchObject({
      status: 400,
      error: { code: -32022, data: { supported: ['2026-12-01'], requested: '2027-01-01' } },
    });
  });

  it('none in common, or a server without one: a plain 400, so that clients of both eras fall back', async () => {
    const old: Answer = () => ({ status: 400, body: '"error":{"code":-32000,"message":"Bad Request: no session"}' });
    const apart = await gateFor({ a: await server(lacks('2026-07-28')), b: await server(lacks('2026-12-01')) });
    const mixed = await gateFor({ a: await server(paged('x', 1)), b: await server(old) });
    for (const gate of [apart, mixed])
      expect(await ask(gate, 'tools/list', {}, '2026-12-01')).toMatchObject({ status: 400, error: { code: -32600 } });
  });

  it('discover gives their intersection and what any of them can do', async () => {
    const discover =
      (versions: string[], capabilities: object): Answer =>
      () => ({ body: `"result":${JSON.stringify({ supportedVersions: versions, capabilities })}` });
    const gate = await gateFor({
      a: await server(discover(['2026-07-28', '2026-12-01'], { tools: { listChanged: true } })),
      b: await server(discover(['2026-12-01', '2026-07-28'], { prompts: {}, tasks: {} })),
    });
    expect((await ask(gate, 'server/discover')).result).toMatchObject({
      supportedVersions: ['2026-07-28', '2026-12-01'],
      capabilities: { tools: {}, prompts: {} },
      cacheScope: 'private',
    });
  });
});

describe('what is not one server’s', () => {
  it('is answered by the gate, or not served, with the place that serves it', async () => {
    const gate = await gateFor({ a: await server(paged('x', 1)) });
    expect((await ask(gate, 'ping')).result).toEqual({});
    for (const method of ['tasks/get', 'vendor/thing'])
      expect(await ask(gate, method)).toMatchObject({
        error: { code: -32601, message: expect.stringContaining('/mcp/<server>') },
      });
    expect((await fetch(`${gate.url}/mcp`, { headers: { accept: 'text/event-stream' } })).status).toBe(400);
  });

  it('a header that names another tool than the body is refused before anything is asked', async () => {
    const a = await server(paged('x', 1));
    const gate = await gateFor({ a });
    const response = await fetch(`${gate.url}/mcp`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'mcp-protocol-version': MODERN,
        'mcp-method': 'tools/call',
        'mcp-name': 'a__x_1',
      },
      body: JSON.stringify({
        jsonrpc: '2.0',
        id: 1,
        method: 'tools/call',
        params: {
          name: 'a__x_0',
          _meta: {
            'io.modelcontextprotocol/protocolVersion': MODERN,
            'io.modelcontextprotocol/clientCapabilities': {},
          },
        },
      }),
    });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: { code: -32020 } });
    expect(a.seen).toEqual([]);
  });
});

/** Reads events until one holds `what`; the stream stays open. */
async function until(reader: ReadableStreamDefaultReader<Uint8Array>, what: string, sofar = ''): Promise<string> {
  let text = sofar;
  while (!text.includes(what)) {
    const { done, value } = await reader.read();
    if (done) throw new Error(`the stream ended without \`${what}\`: ${text}`);
    text += new TextDecoder().decode(value);
  }
  return text;
}

describe('the stream of the federated endpoint', () => {
  const changing = (): { answer: Answer; description: string } => {
    const said = { description: 'one', answer: undefined as unknown as Answer };
    said.answer = ({ method }) => ({
      body:
        method === 'initialize'
          ? '"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"s","version":"1"}}'
          : `"result":{"tools":[{"name":"t","description":${JSON.stringify(said.description)},"inputSchema":{"type":"object"}}]}`,
    });
    return said;
  };

  it('tells a modern listener what it granted, and once that a list changed', async () => {
    const said = changing();
    const gate = await gateFor({ a: await server(said.answer), b: await server(paged('y', 1)) });
    await ask(gate, 'tools/list');
    const stop = new AbortController();
    cleanup.push(async () => stop.abort());
    const params = {
      notifications: { toolsListChanged: true, resourcesListChanged: true },
      _meta: { 'io.modelcontextprotocol/protocolVersion': MODERN, 'io.modelcontextprotocol/clientCapabilities': {} },
    };
    const response = await fetch(`${gate.url}/mcp`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'mcp-protocol-version': MODERN,
        'mcp-method': 'subscriptions/listen',
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 'sub', method: 'subscriptions/listen', params }),
      signal: stop.signal,
    });
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    const first = await until(reader, '\n\n');
    expect(first).toContain(
      '{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"notifications":{"toolsListChanged":true},"_meta":{"io.modelcontextprotocol/subscriptionId":"sub"}}}',
    );
    said.description = 'two';
    await ask(gate, 'tools/list');
    const more = await until(reader, 'list_changed');
    expect(more.match(/notifications\/tools\/list_changed/g)).toHaveLength(1);
    expect(more).toContain('"params":{"_meta":{"io.modelcontextprotocol/subscriptionId":"sub"}}');
  });

  it('ends at once with a complete result where nothing of the wishes can be granted', async () => {
    const gate = await gateFor({ a: await server(paged('x', 1)) });
    const response = await fetch(`${gate.url}/mcp`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'mcp-protocol-version': MODERN,
        'mcp-method': 'subscriptions/listen',
      },
      body: JSON.stringify({
        jsonrpc: '2.0',
        id: 1,
        method: 'subscriptions/listen',
        params: {
          notifications: {},
          _meta: {
            'io.modelcontextprotocol/protocolVersion': MODERN,
            'io.modelcontextprotocol/clientCapabilities': {},
          },
        },
      }),
    });
    expect(await response.text()).toContain('{"jsonrpc":"2.0","id":1,"result":{"resultType":"complete"}}');
  });

  it('tells a legacy session, and nobody without one', async () => {
    const said = changing();
    const gate = await gateFor({ a: await server(said.answer) });
    const post = (message: object, headers: Record<string, string> = {}): Promise<Response> =>
      fetch(`${gate.url}/mcp`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream', ...headers },
        body: JSON.stringify({ jsonrpc: '2.0', id: 1, ...message }),
      });
    const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x', version: '1' } };
    const opened = await post({ method: 'initialize', params });
    expect(await opened.json()).toMatchObject({ result: { capabilities: { tools: { listChanged: true } } } });
    const session = { 'mcp-session-id': opened.headers.get('mcp-session-id') ?? '' };
    await (await post({ method: 'tools/list' }, session)).text();
    const stop = new AbortController();
    cleanup.push(async () => stop.abort());
    const stream = await fetch(`${gate.url}/mcp`, {
      headers: { accept: 'text/event-stream', ...session },
      signal: stop.signal,
    });
    expect(stream.status).toBe(200);
    said.description = 'two';
    await (await post({ method: 'tools/list' }, session)).text();
    const text = await until((stream.body as ReadableStream<Uint8Array>).getReader(), 'list_changed');
    expect(text).toContain('data: {"jsonrpc":"2.0","method":"notifications/tools/list_changed"}');
    const forged = await fetch(`${gate.url}/mcp`, { headers: { accept: 'text/event-stream', 'mcp-session-id': 'x' } });
    expect(forged.status).toBe(404);
  });
});
