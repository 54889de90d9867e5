import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { McpAnswer, McpRequest, McpServer } from '../../../gateway/ports/mcp-server.ts';
import { LineSplitter } from '../../../gateway/upstream/stdio/line-splitter.ts';
import { openStdioServer } from '../../../gateway/upstream/stdio/open-stdio.ts';
import type { StdioSettings } from '../../../gateway/upstream/stdio/settings.ts';

const HOLDER = resolve(import.meta.dirname, '../../support/stdio-holder-process.ts');
const FIXTURE = resolve(import.meta.dirname, '../../support/stdio-server-process.ts');
const VERSION_KEY = 'io.modelcontextprotocol/protocolVersion';

let folder: string;
const opened: McpServer[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tollgate-stdio-'));
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((server) => server.close()));
  rmSync(folder, { recursive: true, force: true });
});

interface Seen {
  readonly server: McpServer;
  readonly incidents: { name: string; detail: Readonly<Record<string, string | number>> }[];
  readonly logged: Record<string, unknown>[];
}

function open(env: Record<string, string> = {}, more: Partial<StdioSettings> = {}): Seen {
  const incidents: Seen['incidents'] = [];
  const logged: Record<string, unknown>[] = [];
  const keep = (fields: Readonly<Record<string, unknown>>): void => void logged.push({ ...fields });
  const server = openStdioServer({
    name: 'fixture',
    command: { command: [process.execPath, FIXTURE], env: { PID_FILE: join(folder, 'pids'), ...env }, cwd: folder },
    era: 'auto',
    share: 'session',
    idleMs: 60_000,
    messageBytes: 1024 * 1024,
    maxProcesses: 8,
    maxPerPrincipal: 8,
    probeMs: 5_000,
    patienceMs: 1_000,
    log: { info: keep, warn: keep, error: keep },
    incident: (name, detail) => void incidents.push({ name, detail }),
    redact: (line) => line,
    ticks: () => performance.now(),
    ...more,
  });
  opened.push(server);
  return { server, incidents, logged };
}

const post = (body: unknown, more: Partial<McpRequest> = {}): McpRequest => ({
  method: 'POST',
  headers: {},
  body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
  caller: { principalId: 'ada' },
  signal: new AbortController().signal,
  ...more,
});

async function bodyOf(answer: McpAnswer): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of answer.body) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

interface Said {
  readonly id?: unknown;
  readonly method?: string;
  readonly params?: { readonly progressToken?: unknown; readonly _meta: Readonly<Record<string, unknown>> };
  readonly result?: { readonly content: readonly { readonly text: string }[] };
  readonly error?: { readonly code: number; readonly message: string };
}

/** The messages of an answer, whether it is JSON or a stream. */
async function messages(answer: McpAnswer): Promise<Said[]> {
  const text = await bodyOf(answer);
  if (answer.headers['content-type'] === 'application/json') return [JSON.parse(text)];
  return [...text.matchAll(/^data: (.+)$/gm)].map(([, data]) => JSON.parse(data as string));
}

const initialize = (version = '2025-11-25', id: unknown = 0): unknown => ({
  jsonrpc: '2.0',
  id,
  method: 'initialize',
  params: { protocolVersion: version, capabilities: {}, clientInfo: { name: 't', version: '1' } },
});
const call = (id: unknown, name: string, args: unknown = {}, meta?: unknown): unknown => ({
  jsonrpc: '2.0',
  id,
  method: 'tools/call',
  params: { name, arguments: args, ...(meta !== undefined && { _meta: meta }) },
});
const modern = (id: unknown, method: string, params: Record<string, unknown> = {}, meta: object = {}): unknown => ({
  jsonrpc: '2.0',
  id,
  method,
  params: {
    ...params,
    _meta: { [VERSION_KEY]: '2026-07-28', 'io.modelcontextprotocol/clientCapabilities': {}, ...meta },
  },
});

async function session(
  server: McpServer,
  principalId = 'ada',
  version = '2025-11-25',
): Promise<Record<string, string>> {
  const answer = await server.exchange(post(initialize(version), { caller: { principalId } }));
  expect(answer.status).toBe(200);
  await bodyOf(answer);
  const headers = { 'mcp-session-id': String(answer.headers['mcp-session-id']), 'mcp-protocol-version': version };
  const told = await server.exchange(
    post({ jsonrpc: '2.0', method: 'notifications/initialized' }, { headers, caller: { principalId } }),
  );
  expect(told.status).toBe(202);
  return headers;
}

const textOf = (message: Said | undefined): string => String(message?.result?.content[0]?.text);
const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    // a zombie is gone; only its parent has not looked
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
};
const pids = (): number[] =>
  existsSync(join(folder, 'pids')) ? readFileSync(join(folder, 'pids'), 'utf8').trim().split('\n').map(Number) : [];

describe('a legacy session', () => {
  it('is a process of its own, and answers like a streamable HTTP server', async () => {
    const { server } = open();
    const [ada, bob] = [await session(server), await session(server, 'bob')];
    const list = await server.exchange(post({ jsonrpc: '2.0', id: 'a', method: 'tools/list' }, { headers: ada }));
    expect(list.headers['content-type']).toBe('application/json');
    expect((await messages(list))[0]?.id).toBe('a');
    const first = textOf((await messages(await server.exchange(post(call(1, 'pid'), { headers: ada }))))[0]);
    const second = textOf(
      (
        await messages(await server.exchange(post(call(1, 'pid'), { headers: bob, caller: { principalId: 'bob' } })))
      )[0],
    );
    expect(first).not.toBe(second);
    expect(pids().map(String).sort()).toEqual([first, second].sort());
  });

  it('belongs to its principal: for anyone else it is not known', async () => {
    const { server } = open();
    const headers = await session(server);
    const theft = await server.exchange(post(call(1, 'pid'), { headers, caller: { principalId: 'eve' } }));
    const made = await server.exchange(post(call(1, 'pid'), { headers: { 'mcp-session-id': 'made-up' } }));
    expect([theft.status, made.status]).toEqual([404, 404]);
    expect(await bodyOf(theft)).toBe(await bodyOf(made));
  });

  it('wants a session, `initialize` once, one message a line, and ids that are not in use', async () => {
    const { server } = open();
    const answers = [
      await server.exchange(post(call(1, 'pid'))),
      await server.exchange(post('[]')),
      await server.exchange(post('{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}')),
      await server.exchange({ ...post(''), method: 'GET' }),
    ];
    expect(answers.map((a) => a.status)).toEqual([400, 400, 400, 400]);
    expect(pids()).toEqual([]);
    const headers = await session(server);
    const leave = new AbortController();
    const waiting = server.exchange(post(call(5, 'silent'), { headers, signal: leave.signal }));
    expect((await server.exchange(post(call(5, 'echo', { text: 'x' }), { headers }))).status).toBe(400);
    leave.abort(new Error('left'));
    await expect(waiting).rejects.toThrow('left');
  });

  it('carries a pretty-printed request as one line and keeps big integers', async () => {
    const { server } = open({ SEEN_FILE: join(folder, 'seen') });
    const headers = await session(server);
    const body =
      '{\r\n  "jsonrpc": "2.0",\n  "id": 9007199254740993,\n  "method": "tools/call",\n  "params": { "name": "bigint" } }';
    const raw =
      '{"jsonrpc":"2.0","id":90071992547409931,"method":"tools/call","params":{"name":"echo","arguments":{"text":1}}}';
    const answer = server.exchange(post(raw, { headers }));
    await server.exchange(post(body, { headers, signal: AbortSignal.timeout(300) })).catch(() => undefined);
    await expect.poll(() => readFileSync(join(folder, 'seen'), 'utf8')).toContain('"id": 9007199254740993,');
    expect(readFileSync(join(folder, 'seen'), 'utf8')).toContain('"id":90071992547409931,');
    // the fixture parses ids as doubles, so its answer names another request: it reaches nobody
    await Promise.race([answer, sleep(100)]);
  });

  it('joins a character that came in two pieces, and passes integers beyond 2^53 as they are', async () => {
    const { server } = open();
    const headers = await session(server);
    const [message] = await messages(await server.exchange(post(call(1, 'split'), { headers })));
    expect(textOf(message)).toBe('größe €');
    expect(await bodyOf(await server.exchange(post(call(2, 'bigint'), { headers })))).toContain('12345678901234567890');
  });

  it('sends progress and the answer on the stream of its request, with ids to resume from', async () => {
    const { server } = open();
    const headers = await session(server);
    const answer = await server.exchange(post(call(3, 'progress', {}, { progressToken: 't' }), { headers }));
    expect(answer.headers['content-type']).toBe('text/event-stream');
    const text = await bodyOf(answer);
    expect(text).toMatch(/^id: s2\.0\ndata: \n\nid: s2\.1\nevent: message\ndata: /);
    const resumed = await server.exchange({
      ...post(''),
      method: 'GET',
      headers: { ...headers, 'last-event-id': 's2.2' },
    });
    expect((await messages(resumed)).map((m) => m.id ?? m.method)).toEqual([3]);
    const lost = await server.exchange({
      ...post(''),
      method: 'GET',
      headers: { ...headers, 'last-event-id': 's9.2' },
    });
    expect(lost.status).toBe(400);
  });

  it('knows no empty events for clients before 2025-11-25', async () => {
    const { server } = open();
    const headers = await session(server, 'ada', '2025-06-18');
    const answer = await server.exchange(post(call(3, 'progress', {}, { progressToken: 't' }), { headers }));
    expect(await bodyOf(answer)).toMatch(/^id: s2\.1\n/);
  });

  it('does not cancel when the caller leaves; the answer can be fetched', async () => {
    const { server } = open({ SEEN_FILE: join(folder, 'seen') }, { patienceMs: 20 });
    const headers = await session(server);
    const leave = new AbortController();
    const request = post(call(1, 'late', { ms: 200, text: 'kept' }), { headers, signal: leave.signal });
    const answer = await server.exchange(request);
    const reader = answer.body[Symbol.asyncIterator]();
    expect(Buffer.from((await reader.next()).value as Uint8Array).toString()).toBe('id: s2.0\ndata: \n\n');
    leave.abort(new Error('left'));
    await expect(reader.next()).rejects.toThrow('left');
    const again = await server.exchange({
      ...post(''),
      method: 'GET',
      headers: { ...headers, 'last-event-id': 's2.0' },
    });
    expect(textOf((await messages(again))[0])).toBe('kept');
    expect(readFileSync(join(folder, 'seen'), 'utf8')).not.toContain('notifications/cancelled');
  });

  it('asks the client on the stream of the call and takes the answer as a POST', async () => {
    const { server } = open();
    const headers = await session(server);
    const answer = await server.exchange(post(call(1, 'ask'), { headers }));
    const reply = { jsonrpc: '2.0', id: 's-1', result: { action: 'accept' } };
    expect((await server.exchange(post(reply, { headers }))).status).toBe(202);
    const seen = await messages(answer);
    expect(seen.map((m) => m.method ?? m.id)).toEqual(['elicitation/create', 1]);
    expect(textOf(seen[1])).toBe('{"action":"accept"}');
  });

  it('tells a listener what belongs to no request, also what came before it listened', async () => {
    const { server } = open();
    const headers = await session(server);
    await messages(await server.exchange(post(call(1, 'changed'), { headers })));
    const leave = new AbortController();
    const stream = await server.exchange({ ...post(''), method: 'GET', headers, signal: leave.signal });
    const reader = stream.body[Symbol.asyncIterator]();
    await reader.next();
    expect(Buffer.from((await reader.next()).value as Uint8Array).toString()).toContain('tools/list_changed');
    leave.abort(new Error('done'));
    await expect(reader.next()).rejects.toThrow('done');
  });

  it('goes on answering when nobody listens to what the server says by itself', async () => {
    const { server, incidents } = open();
    const headers = await session(server);
    for (let i = 0; i < 9; i += 1)
      await messages(await server.exchange(post(call(i, 'chatter', { size: 700_000 }), { headers })));
    expect(
      textOf((await messages(await server.exchange(post(call(99, 'echo', { text: 'on' }), { headers }))))[0]),
    ).toBe('on');
    expect(incidents.map((i) => i.name)).toEqual(['mcp_undelivered']);
  });

  it('does not stand still for a caller who left before he read', async () => {
    const { server } = open({}, { patienceMs: 10 });
    const headers = await session(server);
    const leave = new AbortController();
    const request = post(call(1, 'flood', { size: 400_000, times: 8 }), { headers, signal: leave.signal });
    await server.exchange(request);
    leave.abort(new Error('left'));
    const said = await messages(await server.exchange(post(call(2, 'echo', { text: 'on' }), { headers })));
    expect(textOf(said.at(-1))).toBe('on');
  });

  it('drops an answer to nothing, and counts it', async () => {
    const { server, incidents } = open();
    const headers = await session(server);
    expect(textOf((await messages(await server.exchange(post(call(1, 'unasked'), { headers }))))[0])).toBe('fine');
    expect(incidents.map((i) => i.name)).toEqual(['mcp_unasked']);
  });

  it('stops waiting for a request that the client cancelled', async () => {
    const { server } = open({}, { patienceMs: 20 });
    const headers = await session(server);
    const answer = await server.exchange(post(call(1, 'silent'), { headers }));
    const cancel = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } };
    expect((await server.exchange(post(cancel, { headers }))).status).toBe(202);
    expect(await messages(answer)).toEqual([]);
  });
});

describe('what a server writes that is no message', () => {
  it.each(['garbage', 'batch', 'twice', 'latin'])('`%s` is never passed and fails the waiting call', async (tool) => {
    const { server, incidents } = open();
    const headers = await session(server);
    const [message] = await messages(await server.exchange(post(call(1, tool), { headers })));
    expect(message).toMatchObject({ id: 1, error: { code: -32603, data: { code: 'TG_UPSTREAM_UNREADABLE' } } });
    expect(incidents).toMatchObject([{ name: 'mcp_unreadable', detail: { server: 'fixture', waiting: 1 } }]);
    expect(textOf((await messages(await server.exchange(post(call(2, 'echo', { text: 'on' }), { headers }))))[0])).toBe(
      'on',
    );
  });

  it('a line beyond the limit is refused without being kept, and the next call works', async () => {
    const { server, incidents } = open();
    const headers = await session(server);
    const [message] = await messages(await server.exchange(post(call(1, 'big', { size: 8_000_000 }), { headers })));
    expect(message?.error).toMatchObject({
      code: -32603,
      message: expect.stringContaining('longer than 1048576 bytes'),
    });
    expect(incidents.map((i) => i.name)).toEqual(['mcp_unreadable']);
    const [fits] = await messages(await server.exchange(post(call(2, 'big', { size: 1_000_000 }), { headers })));
    expect(textOf(fits)).toHaveLength(1_000_000);
  });
});

describe('a process', () => {
  it('gets no variable of the gate but the listed ones, and runs where it is told', async () => {
    vi.stubEnv('OPENAI_API_KEY', 'sk-of-the-gate');
    vi.stubEnv('NODE_OPTIONS', '--no-warnings');
    const { server } = open({ TOKEN: 'given' });
    const headers = await session(server);
    const env = JSON.parse(textOf((await messages(await server.exchange(post(call(1, 'env'), { headers }))))[0]));
    const names = Object.keys(env).filter((name) => !['PATH', 'HOME', 'LANG', 'TZ'].includes(name));
    expect(names.sort()).toEqual(['PID_FILE', 'TOKEN', 'TOLLGATE_MCP_PROCESS']);
    expect(textOf((await messages(await server.exchange(post(call(2, 'cwd'), { headers }))))[0])).toBe(folder);
  });

  it('that crashes says why in the log', async () => {
    const { server, logged } = open(
      {},
      { command: { command: [process.execPath, '-e', 'throw new Error("no disk")'], env: {}, cwd: folder } },
    );
    await expect(server.exchange(post(initialize()))).rejects.toThrow('ended (exit code 1)');
    expect(logged.map((l) => l['stderr'])).toContainEqual(expect.stringContaining('Error: no disk'));
  });

  it('is started without a shell', async () => {
    const { server } = open({}, { command: { command: ['echo hello; sleep 5'], env: {}, cwd: folder } });
    await expect(server.exchange(post(initialize()))).rejects.toMatchObject({
      code: 'TG_UPSTREAM_UNREACHABLE',
      message: 'the server process cannot be started (enoent); check its `command` and `cwd` in the configuration',
    });
  });

  it('that dies in mid-call fails the call, and its session is over', async () => {
    const { server, incidents } = open();
    const headers = await session(server);
    const other = await session(server, 'bob');
    const [message] = await messages(await server.exchange(post(call(1, 'die'), { headers })));
    expect(message).toMatchObject({ id: 1, error: { code: -32603, data: { code: 'TG_UPSTREAM_BROKE' } } });
    expect(message?.error?.message).toContain('exit code 7');
    expect((await server.exchange(post(call(2, 'pid'), { headers }))).status).toBe(404);
    const bob = await server.exchange(
      post(call(2, 'echo', { text: 'here' }), { headers: other, caller: { principalId: 'bob' } }),
    );
    expect(textOf((await messages(bob))[0])).toBe('here');
    expect(incidents).toMatchObject([{ name: 'mcp_ended', detail: { how: 'exit code 7' } }]);
    await session(server);
  });

  it('that is killed from outside fails the call too', async () => {
    const { server } = open({}, { patienceMs: 20 });
    const headers = await session(server);
    const answer = await server.exchange(post(call(1, 'silent'), { headers }));
    process.kill(pids()[0] as number, 'SIGKILL');
    expect((await messages(answer))[0]?.error?.message).toContain('signal SIGKILL');
  });

  it('that keeps ending is started ever more seldom, for its caller alone', async () => {
    const { server } = open({ DIE_AT_START: '1' });
    const codes: string[] = [];
    for (let i = 0; i < 6; i += 1)
      codes.push(await server.exchange(post(initialize())).then(String, (error: { code: string }) => error.code));
    expect(codes.slice(0, 2).join()).toMatch(/^TG_UPSTREAM_(?:BROKE|UNREACHABLE),TG_UPSTREAM_(?:BROKE|UNREACHABLE)$/);
    expect(pids().length).toBeGreaterThan(1);
    expect(codes.at(-1)).toBe('TG_UPSTREAM_UNREACHABLE');
    const started = pids().length;
    await expect(server.exchange(post(initialize()))).rejects.toThrow(
      /keeps ending right after it was started; .* in [0-9]+ s/,
    );
    expect(pids()).toHaveLength(started);
    await expect(server.exchange(post(initialize(), { caller: { principalId: 'bob' } }))).rejects.toThrow('ended (');
    expect(pids()).toHaveLength(started + 1);
  });

  it.each([false, true])('takes its children with it (left its group: %s)', async (own) => {
    const { server } = open();
    const headers = await session(server);
    const [message] = await messages(await server.exchange(post(call(1, 'grandchild', { own }), { headers })));
    const child = Number(textOf(message));
    expect(alive(child)).toBe(true);
    expect((await server.exchange({ ...post(''), method: 'DELETE', headers })).status).toBe(200);
    await expect.poll(() => [child, ...pids()].filter(alive)).toEqual([]);
    expect((await server.exchange(post(call(2, 'pid'), { headers }))).status).toBe(404);
  });

  it.each([false, true])('that dies by itself leaves no children behind (left its group: %s)', async (own) => {
    const { server } = open();
    const headers = await session(server);
    const [message] = await messages(await server.exchange(post(call(1, 'grandchild', { own }), { headers })));
    await messages(await server.exchange(post(call(2, 'die'), { headers })));
    await expect.poll(() => alive(Number(textOf(message)))).toBe(false);
  });

  it('that ignores the end of its input and TERM is killed', async () => {
    const { server } = open({ STUBBORN: '1' });
    await session(server);
    const before = performance.now();
    await server.close();
    expect(pids().filter(alive)).toEqual([]);
    expect(performance.now() - before).toBeGreaterThan(3_500);
  });

  it('does not outlive a gate that ends without closing', async () => {
    const holder = spawn(process.execPath, [HOLDER, process.execPath, FIXTURE], {
      env: { ...process.env, PID_FILE: join(folder, 'pids') },
    });
    const code = await new Promise((done) => holder.once('exit', done));
    expect([code, pids()]).toEqual([42, [expect.any(Number)]]);
    await expect.poll(() => pids().filter(alive)).toEqual([]);
  });

  it('that nobody uses is ended', async () => {
    const { server } = open({}, { idleMs: 200 });
    const headers = await session(server);
    await expect.poll(() => pids().filter(alive)).toEqual([]);
    expect((await server.exchange(post(call(2, 'pid'), { headers }))).status).toBe(404);
  });

  it('is one of at most so many', async () => {
    const { server } = open({}, { maxProcesses: 2 });
    await session(server);
    await session(server);
    await expect(session(server)).rejects.toThrow('there are 2 sessions');
    const { server: fair } = open({}, { maxPerPrincipal: 1 });
    await session(fair);
    await expect(session(fair)).rejects.toThrow('you have 1 sessions');
    await session(fair, 'bob');
  });

  it('writes its log redacted, bounded and not into the answers', async () => {
    const { server, logged } = open({ TOKEN: 'hunter2-hunter2' });
    const headers = await session(server);
    await messages(await server.exchange(post(call(1, 'noise'), { headers })));
    await expect.poll(() => logged.length).toBe(2);
    expect(logged.map((l) => l['stderr'])).toEqual(['using [secret]', '[a line of more than 4096 bytes]']);
  });
});

describe('lines', () => {
  const split = (bytes: Uint8Array, cuts: readonly number[], limit: number): string[] => {
    const seen: string[] = [];
    const lines = new LineSplitter(limit, {
      line: (line) => void seen.push(Buffer.from(line).toString('latin1')),
      tooLong: () => void seen.push('too long'),
    });
    let start = 0;
    for (const cut of [...cuts, bytes.length].map((c) => Math.min(c, bytes.length)).sort((a, b) => a - b)) {
      lines.push(bytes.subarray(start, cut));
      start = cut;
    }
    lines.end();
    return seen;
  };

  it('are the same however the bytes come, and none is longer than the limit', () => {
    const bytes = fc
      .array(fc.constantFrom(10, 10, 13, 65, 0xe2, 0x82, 0xac), { maxLength: 60 })
      .map((all) => Uint8Array.from(all));
    fc.assert(
      fc.property(bytes, fc.array(fc.nat(60)), fc.integer({ min: 1, max: 12 }), (all, cuts, limit) => {
        const seen = split(all, cuts, limit);
        const whole = Buffer.from(all).toString('latin1').split('\n');
        if (whole.at(-1) === '') whole.pop();
        expect(seen).toEqual(whole.map((line) => (line.length > limit ? 'too long' : line.replace(/\r$/, ''))));
      }),
    );
  });
});

describe('a modern server', () => {
  it('is known by its answer to `server/discover` and serves without sessions', async () => {
    const { server } = open({ ERA: 'modern' }, { share: 'everyone' });
    const answer = await server.exchange(post(modern('x', 'tools/call', { name: 'echo', arguments: { text: 'hi' } })));
    expect([answer.status, answer.headers['mcp-session-id']]).toEqual([200, undefined]);
    expect((await messages(answer))[0]).toMatchObject({ id: 'x', result: { resultType: 'complete' } });
    expect((await server.exchange({ ...post(''), method: 'GET' })).status).toBe(405);
    expect((await server.exchange(post(modern(1, 'no/such')))).status).toBe(404);
    expect(pids()).toHaveLength(1);
  });

  it('that is legacy answers 400, so that clients fall back to `initialize`', async () => {
    const { server } = open();
    const answer = await server.exchange(post(modern(1, 'tools/list')));
    expect(answer.status).toBe(400);
    expect(await bodyOf(answer)).toContain('send `initialize`');
    await session(server);
  });

  it('has no sessions: `initialize` is a 400, and its process is ended', async () => {
    const { server } = open({ ERA: 'modern' });
    const answer = await server.exchange(post(initialize()));
    expect([answer.status, answer.headers['mcp-session-id']]).toEqual([400, undefined]);
    expect((await messages(answer))[0]).toMatchObject({ id: 0, error: { code: -32601 } });
    await expect.poll(() => pids().filter(alive)).toEqual([]);
    const told = await open({}, { era: 'modern' }).server.exchange(post(initialize()));
    expect([told.status, (await messages(told))[0]?.error?.code]).toEqual([400, -32022]);
  });

  it('keeps callers with the same ids and tokens apart in one process', async () => {
    const { server } = open({ ERA: 'modern' }, { share: 'everyone' });
    const ask = async (principalId: string, n: number): Promise<string> => {
      const params = { name: 'late', arguments: { ms: (n * 37) % 50, text: `${principalId}-${n}` } };
      const [message] = await messages(
        await server.exchange(post(modern(1, 'tools/call', params, { progressToken: 7 }), { caller: { principalId } })),
      );
      expect(message?.id).toBe(1);
      return textOf(message);
    };
    const asked = Array.from({ length: 40 }, (_, n) => [n % 2 === 0 ? 'ada' : 'bob', n] as const);
    const answers = await Promise.all(asked.map(([who, n]) => ask(who, n)));
    expect(answers).toEqual(asked.map(([who, n]) => `${who}-${n}`));
    expect(pids()).toHaveLength(1);
  });

  it('gives every principal a process where nothing else is said', async () => {
    const { server } = open({ ERA: 'modern' });
    for (const principalId of ['ada', 'bob', 'ada'])
      await messages(await server.exchange(post(modern(1, 'tools/list'), { caller: { principalId } })));
    expect(pids()).toHaveLength(2);
  });

  it('gives progress and subscriptions back under the names the client used', async () => {
    const { server, incidents } = open({ ERA: 'modern' });
    const progress = await messages(
      await server.exchange(post(modern('p', 'tools/call', { name: 'progress' }, { progressToken: 'mine' }))),
    );
    expect(progress.map((m) => m.params?.progressToken ?? m.id)).toEqual(['mine', 'mine', 'p']);
    const leave = new AbortController();
    const listening = await server.exchange(post(modern('sub', 'subscriptions/listen'), { signal: leave.signal }));
    const reader = listening.body[Symbol.asyncIterator]();
    const events = [await reader.next(), await reader.next()].map(({ value }) =>
      Buffer.from(value as Uint8Array).toString(),
    );
    const said = events.map((event) => JSON.parse(/data: (.+)/.exec(event)?.[1] as string));
    expect(said.map((m) => m.params._meta['io.modelcontextprotocol/subscriptionId'])).toEqual(['sub', 'sub']);
    leave.abort(new Error('left'));
    expect(incidents).toEqual([]);
  });

  it('is told when a caller leaves: closing the response is the cancellation', async () => {
    const { server } = open({ ERA: 'modern', SEEN_FILE: join(folder, 'seen') });
    const leave = new AbortController();
    const asked = server.exchange(post(modern('c', 'tools/call', { name: 'silent' }), { signal: leave.signal }));
    await expect
      .poll(() => existsSync(join(folder, 'seen')) && readFileSync(join(folder, 'seen'), 'utf8'))
      .toContain('silent');
    leave.abort(new Error('left'));
    await expect(asked).rejects.toThrow('left');
    await expect.poll(() => readFileSync(join(folder, 'seen'), 'utf8')).toContain('notifications/cancelled');
    const lines = readFileSync(join(folder, 'seen'), 'utf8')
      .trim()
      .split('\n')
      .map((l) => JSON.parse(l));
    expect(lines.at(-1).params.requestId).toBe(lines.find((l) => l.params.name === 'silent').id);
  });

  it('a cancellation reaches only a request of the same caller', async () => {
    const { server } = open({ ERA: 'modern', SEEN_FILE: join(folder, 'seen') }, { share: 'everyone', patienceMs: 20 });
    const answer = await server.exchange(
      post(modern(1, 'tools/call', { name: 'late', arguments: { ms: 300, text: 'kept' } })),
    );
    const cancel = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } };
    const headers = { 'mcp-protocol-version': '2026-07-28' };
    expect((await server.exchange(post(cancel, { headers, caller: { principalId: 'eve' } }))).status).toBe(202);
    expect(textOf((await messages(answer))[0])).toBe('kept');
    expect(readFileSync(join(folder, 'seen'), 'utf8')).not.toContain('notifications/cancelled');
  });

  it('does not hand a log message to a caller who may not be meant', async () => {
    const { server, incidents } = open({ ERA: 'modern' }, { share: 'everyone' });
    const level = { 'io.modelcontextprotocol/logLevel': 'info' };
    const alone = await messages(await server.exchange(post(modern(1, 'tools/call', { name: 'log' }, level))));
    expect(alone.map((m) => m.method ?? m.id)).toEqual(['notifications/message', 1]);
    const waiting = server.exchange(
      post(modern(1, 'tools/call', { name: 'late', arguments: { ms: 500, text: '' } }, level), {
        caller: { principalId: 'bob' },
      }),
    );
    const shared = await messages(await server.exchange(post(modern(2, 'tools/call', { name: 'log' }, level))));
    expect(shared.map((m) => m.method ?? m.id)).toEqual([2]);
    await waiting;
    expect(incidents.map((i) => i.name)).toEqual(['mcp_undelivered']);
  });

  it('must not ask: the request is refused and the waiting call fails', async () => {
    const { server, incidents } = open({ ERA: 'modern' });
    const [message] = await messages(await server.exchange(post(modern(1, 'tools/call', { name: 'ask' }))));
    expect(message).toMatchObject({ id: 1, error: { code: -32603 } });
    expect(incidents.map((i) => i.name)).toEqual(['mcp_refused_request']);
  });

  it('that died is started again for the next request', async () => {
    const { server } = open({ ERA: 'modern' }, { share: 'everyone' });
    const [broken] = await messages(await server.exchange(post(modern(1, 'tools/call', { name: 'die' }))));
    expect(broken).toMatchObject({ id: 1, error: { code: -32603, data: { code: 'TG_UPSTREAM_BROKE' } } });
    expect((await server.exchange(post(modern(2, 'tools/list')))).status).toBe(200);
    expect(pids()).toHaveLength(2);
  });
});
