import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import type { McpAnswer, McpRequest, McpServer } from '../../../gateway/ports/mcp-server.ts';
import { openUpstream } from '../../../gateway/upstream/http.ts';
import { EventSplitter } from '../../../gateway/upstream/mcp-sse/event-splitter.ts';
import { openSseServer } from '../../../gateway/upstream/mcp-sse/open-sse.ts';

const closers: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

interface Options {
  /** what the endpoint event says, given the server's own origin */
  readonly endpoint?: (origin: string) => string | undefined;
  readonly status?: number;
  readonly type?: string;
}

interface Seen {
  readonly server: McpServer;
  readonly posts: { url: string; headers: IncomingMessage['headers']; body: string }[];
  readonly incidents: string[];
  streams: ServerResponse[];
  close(): void;
}

/** A server of 2024-11-05 whose tools answer on the event stream. */
async function open({ endpoint, status = 200, type = 'text/event-stream' }: Options = {}): Promise<Seen> {
  const posts: Seen['posts'] = [];
  const streams: ServerResponse[] = [];
  const incidents: string[] = [];
  const http = createServer((request, response) => {
    const origin = `http://${request.headers.host}`;
    if (request.method === 'GET') {
      response.writeHead(status, { 'content-type': type, 'www-authenticate': 'Bearer realm="theirs"' });
      if (status !== 200) return void response.end();
      const named = endpoint ? endpoint(origin) : `/messages?s=${streams.length}`;
      streams.push(response);
      response.write(named === undefined ? ': hello\n\n' : `event: endpoint\ndata: ${named}\n\n`);
      return;
    }
    let body = '';
    request.setEncoding('utf8');
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', () => {
      posts.push({ url: request.url as string, headers: request.headers, body });
      response.writeHead(202).end('Accepted');
      const stream = streams[Number(new URL(request.url as string, origin).searchParams.get('s'))];
      if (stream) answer(stream, JSON.parse(body));
    });
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const upstream = openUpstream();
  const server = openSseServer({
    name: 'old',
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/sse`,
    upstream,
    credential: async () => ({ bearer: 'of-the-gate' }),
    idleMs: 60_000,
    messageBytes: 100_000,
    patienceMs: 500,
    maxSessions: 10,
    maxPerPrincipal: 5,
    incident: (name) => void incidents.push(name),
    ticks: () => performance.now(),
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
  });
  const close = (): void => http.closeAllConnections();
  closers.push(
    () => http.close(),
    close,
    () => upstream.close(),
    () => server.close(),
  );
  return { server, posts, incidents, streams, close };
}

interface Asked {
  readonly id?: number;
  readonly method: string;
  readonly params?: { readonly name?: string };
}

function answer(stream: ServerResponse, { id, method, params }: Asked): void {
  const say = (message: unknown): boolean => stream.write(`event: message\r\ndata: ${JSON.stringify(message)}\r\n\r\n`);
  if (id === undefined) return;
  if (method === 'initialize') say({ jsonrpc: '2.0', id, result: { protocolVersion: '2024-11-05', capabilities: {} } });
  else if (params?.name === 'garbage') stream.write('data: no json\n\n');
  else if (params?.name === 'huge') stream.write(`data: "${'x'.repeat(200_000)}"\n\n`);
  else if (params?.name === 'latin')
    stream.write(Buffer.from([...Buffer.from('data: "'), 0xe9, ...Buffer.from('"\n\n')]));
  else if (params?.name === 'elsewhere') stream.write('event: endpoint\ndata: https://evil.example/\n\n');
  else if (params?.name === 'close') stream.end();
  else {
    say({ jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data: 'größe' } });
    say({ jsonrpc: '2.0', id, result: { content: [] } });
  }
}

const post = (body: unknown, headers: Record<string, string> = {}): McpRequest => ({
  method: 'POST',
  headers,
  body: Buffer.from(JSON.stringify(body)),
  caller: { principalId: 'ada', subjectToken: 'of-the-caller' },
  signal: new AbortController().signal,
});
const initialize = { jsonrpc: '2.0', id: 0, method: 'initialize', params: { protocolVersion: '2025-06-18' } };
const call = (name: string) => ({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name } });

async function bodyOf(said: McpAnswer): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of said.body) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

async function session(server: McpServer): Promise<Record<string, string>> {
  const opened = await server.exchange(post(initialize));
  await bodyOf(opened);
  return { 'mcp-session-id': String(opened.headers['mcp-session-id']) };
}

describe('a server over HTTP+SSE', () => {
  it('answers like one over streamable HTTP', async () => {
    const { server, posts } = await open();
    const headers = await session(server);
    const told = await server.exchange(post({ jsonrpc: '2.0', method: 'notifications/initialized' }, headers));
    expect(told.status).toBe(202);
    const said = await server.exchange(post(call('echo'), headers));
    expect(said.headers['content-type']).toBe('text/event-stream');
    expect(await bodyOf(said)).toMatch(/notifications\/message.*größe[\s\S]*"id":1,"result"/);
    expect(posts.map((p) => [p.url, p.headers.authorization, p.headers['mcp-session-id']])).toEqual(
      Array(3).fill(['/messages?s=0', 'Bearer of-the-gate', undefined]),
    );
  });

  it('gives every session a connection of its own', async () => {
    const { server, streams } = await open();
    const [a, b] = [await session(server), await session(server)];
    expect([
      (await server.exchange(post(call('echo'), a))).status,
      (await server.exchange(post(call('echo'), b))).status,
    ]).toEqual([200, 200]);
    expect(streams).toHaveLength(2);
    expect((await server.exchange({ ...post(''), method: 'DELETE', headers: a })).status).toBe(200);
    await expect.poll(() => streams[0]?.destroyed).toBe(true);
    expect((await server.exchange(post(call('echo'), a))).status).toBe(404);
  });

  it.each([
    () => 'https://evil.example/messages',
    () => '//evil.example/messages',
    (origin: string) => origin.replace('http:', 'https:'),
    (origin: string) => origin.replace(/:[0-9]+$/, ':1'),
    (origin: string) => origin.replace('127.0.0.1', 'localhost'),
    (origin: string) => origin.replace('//', '//user:pass@'),
    () => 'http://',
  ])('that names an endpoint of another origin is refused, and nothing is sent (%#)', async (endpoint) => {
    const { server, posts, streams } = await open({ endpoint });
    await expect(server.exchange(post(initialize))).rejects.toMatchObject({
      code: 'TG_UPSTREAM_UNREADABLE',
      message: expect.stringContaining('endpoint of another origin'),
    });
    expect(posts).toEqual([]);
    await expect.poll(() => streams[0]?.destroyed).toBe(true);
  });

  it('may name its endpoint absolutely', async () => {
    const { server } = await open({ endpoint: (origin) => `${origin}/messages?s=0` });
    expect(await session(server)).toHaveProperty('mcp-session-id', expect.stringMatching(/./));
  });

  it('that changes its endpoint in mid-session loses the session', async () => {
    const { server } = await open();
    const headers = await session(server);
    expect(await bodyOf(await server.exchange(post(call('elsewhere'), headers)))).toContain('-32603');
    expect((await server.exchange(post(call('echo'), headers))).status).toBe(404);
  });

  it.each(['garbage', 'huge', 'latin'])('that sends `%s` fails the waiting call and nothing more', async (name) => {
    const { server, incidents } = await open();
    const headers = await session(server);
    expect(JSON.parse(await bodyOf(await server.exchange(post(call(name), headers))))).toMatchObject({
      id: 1,
      error: { code: -32603, data: { code: 'TG_UPSTREAM_UNREADABLE' } },
    });
    expect(incidents).toEqual(['mcp_unreadable']);
    expect((await server.exchange(post(call('echo'), headers))).status).toBe(200);
  });

  it('that closes fails what waits, and the session is over', async () => {
    const { server, incidents } = await open();
    const headers = await session(server);
    expect(await bodyOf(await server.exchange(post(call('close'), headers)))).toContain('it closed the connection');
    expect((await server.exchange(post(call('echo'), headers))).status).toBe(404);
    expect(incidents).toEqual(['mcp_ended']);
  });

  it.each([
    [{ status: 401 }, 'TG_UPSTREAM_AUTH'],
    [{ status: 403 }, 'TG_UPSTREAM_AUTH'],
    [{ status: 302 }, 'TG_UPSTREAM_BROKE'],
    [{ type: 'text/html' }, 'TG_UPSTREAM_UNREADABLE'],
  ])('that answers %j is a %s', async (options, code) => {
    const { server } = await open(options);
    await expect(server.exchange(post(initialize))).rejects.toMatchObject({ code });
  });
});

describe('the event splitter', () => {
  const read = (bytes: Uint8Array, cuts: readonly number[], limit = 10_000): unknown[] => {
    const events: unknown[] = [];
    const splitter = new EventSplitter(limit, {
      event: (name, data) => void events.push([name, data]),
      tooLong: () => void events.push('too long'),
    });
    let start = 0;
    for (const cut of [...cuts, bytes.length].map((c) => Math.min(c, bytes.length)).sort((a, b) => a - b)) {
      splitter.push(bytes.subarray(start, cut));
      start = cut;
    }
    return events;
  };
  const part = fc.oneof(
    fc.constantFrom(
      'data: ä€🙂',
      'data:{"a":1}',
      'event: message',
      'event:endpoint',
      ': ping',
      'id: 7',
      'data',
      'retry: 10',
      '',
    ),
    fc.string({ unit: fc.constantFrom('a', ':', ' ', 'é') }),
  );
  const stream = fc
    .array(fc.tuple(part, fc.constantFrom('\n', '\r', '\r\n')), { maxLength: 20 })
    .map((lines) => Buffer.from(lines.map(([line, end]) => line + end).join('')));

  it('reads the same events however the bytes are cut', () => {
    fc.assert(
      fc.property(stream, fc.array(fc.nat(200)), (bytes, cuts) => {
        expect(read(bytes, cuts)).toEqual(read(bytes, []));
      }),
    );
  });

  it('keeps no event beyond the limit and reads on behind it', () => {
    const bytes = Buffer.from(`data: ${'x'.repeat(500)}\ndata: more\n\ndata: next\n\n`);
    expect(read(bytes, [3, 90, 300, 506, 507], 100)).toEqual(['too long', ['message', 'next']]);
  });

  it('follows the standard', () => {
    const bytes = Buffer.from('\ufeffdata: a\r\rdata:b\r\ndata:  c\n\nevent: x\n\n: no\ndata\n\nevent: y\ndata: z');
    expect(read(bytes, [])).toEqual([
      ['message', 'a'],
      ['message', 'b\n c'],
      ['message', ''],
    ]);
  });
});
