import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { startTestGate, type TestGate } from '../support/gate.ts';
import { listening, type McpFixture } from '../support/mcp-fixture.ts';

const SECRET = 'ghp_0123456789abcdefghijABCDEFGHIJ456789';
const POLICY = `policy: tollgate/v1
name: test
default: allow
rules:
  - id: no-secrets
    at: post_tool_call
    tools: [guarded]
    detect: secrets
    verdict: deny
    reason: secret
  - id: stop
    at: pre_tool_call
    tools: [stop]
    verdict: deny
    reason: stop
    halt: run
`;
const PRICES = `currency: USD
tools:
  - tool: dear
    checked: 2026-11-22
    rows: [{ from: 2026-01-01, per_call: "0.25" }]
  - tool: moody
    checked: 2026-11-22
    rows: [{ from: 2026-01-01, per_call: "0.25", failed: free }]
  - tool: counted
    checked: 2026-11-22
    rows:
      - from: 2026-01-01
        units: [{ unit: page, in: result, at: /structuredContent/pages, usd: "0.01", max: 20 }]
`;
const NAMES = ['plain', 'guarded', 'dear', 'moody', 'counted', 'stop'];
const TOOLS = NAMES.map((name) => ({ name, description: `the tool ${name}`, inputSchema: { type: 'object' } }));

type Answer = (text: string, request: IncomingMessage, response: ServerResponse) => void;
let answer: Answer;
let gate: TestGate;
let fixture: McpFixture;
let pricing: string;

const idOf = (text: string): string => /"id":("[^"]*"|[0-9]+)/.exec(text)?.[1] ?? '0';
const json = (response: ServerResponse, text: string, result: unknown, more: Record<string, string> = {}): void => {
  response.writeHead(200, { 'content-type': 'application/json', ...more });
  response.end(`{"jsonrpc":"2.0","id":${idOf(text)},"result":${JSON.stringify(result)}}`);
};
const fine: Answer = (text, _, response) => json(response, text, { content: [{ type: 'text', text: 'ok' }] });

beforeAll(async () => {
  const seen: McpFixture['seen'] = [];
  const server = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    request.on('end', () => {
      seen.push({ method: request.method ?? '', headers: request.headers, text });
      if (text.includes('"initialize"'))
        json(
          response,
          text,
          { protocolVersion: '2025-11-25', capabilities: {}, serverInfo: { name: 's', version: '1' } },
          {
            'mcp-session-id': 'theirs',
          },
        );
      else if (text.includes('"tools/list"')) json(response, text, { tools: TOOLS });
      else answer(text, request, response);
    });
  });
  fixture = await listening(server, seen);
  pricing = mkdtempSync(join(tmpdir(), 'tollgate-prices-'));
  copyFileSync(join(import.meta.dirname, '../../pricing/openai.yaml'), join(pricing, 'openai.yaml'));
  writeFileSync(join(pricing, 'tools.yaml'), PRICES);
  gate = await startTestGate({
    upstreams: {},
    policy: POLICY,
    config: {
      pricing,
      budgets: [{ scope: 'run', limit_usd: 0.6 }],
      mcp: { servers: { s: { url: fixture.url } }, pins: { mode: 'first-use', max_age_s: 3600 } },
    },
  });
});
afterAll(async () => {
  await gate.remove();
  await fixture.close();
  rmSync(pricing, { recursive: true });
});
beforeEach(() => {
  answer = fine;
  fixture.seen.length = 0;
});
const leaving: AbortController[] = [];
afterEach(() => {
  for (const controller of leaving.splice(0)) controller.abort();
});

const MODERN = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
};

function post(
  run: string,
  name: string,
  { session, modern = false, signal }: { session?: string; modern?: boolean; signal?: AbortSignal } = {},
): Promise<Response> {
  const params = { name, arguments: {}, ...(modern && { _meta: MODERN }) };
  return fetch(`${gate.url}/run/${run}/mcp/s`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': modern ? '2026-07-28' : '2025-11-25',
      ...(modern && { 'mcp-method': 'tools/call', 'mcp-name': name }),
      ...(session !== undefined && { 'mcp-session-id': session }),
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 5, method: 'tools/call', params }),
    ...(signal && { signal }),
  });
}

async function open(): Promise<string> {
  const reply = await fetch(`${gate.url}/mcp/s`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params: { protocolVersion: '2025-11-25' } }),
  });
  return reply.headers.get('mcp-session-id') ?? '';
}

const receiptOf = (run: string, tool: string) =>
  eventually(async () => (await gate.calls()).find((c) => c.run === run && c.actions.some((a) => a.tool === tool)));

describe('a stream that goes on elsewhere (2025-11-25, transports: resumability)', () => {
  it.each([
    ['plain', 'hello', true],
    ['guarded', SECRET, false],
  ])('the answer of `%s` on a resumed stream is judged as that tool’s', async (name, text, passes) => {
    const session = await open();
    answer = (_, request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      if (request.method === 'POST') response.end('id: e1\nretry: 10\ndata: \n\n');
      else
        response.end(
          `id: e2\ndata: {"jsonrpc":"2.0","id":5,"result":{"content":[{"type":"text","text":"${text}"}]}}\n\n`,
        );
    };
    const first = await post(`resume-${name}`, name, { session });
    expect(await first.text()).toBe('id: e1\nretry: 10\ndata: \n\n');
    const resumed = await fetch(`${gate.url}/mcp/s`, {
      headers: { accept: 'text/event-stream', 'mcp-session-id': session, 'last-event-id': 'e1' },
    });
    const said = await resumed.text().catch(() => '');
    expect(fixture.seen.at(-1)?.headers['last-event-id']).toBe('e1');
    expect(fixture.seen.at(-1)?.headers['mcp-session-id']).toBe('theirs');
    expect(said.includes(text)).toBe(passes);
  });
});

describe('a caller that leaves', () => {
  it.each([
    ['modern', true],
    ['legacy', false],
  ])('%s: the server’s leg ends, nothing is invented, and the call is charged', async (era, modern) => {
    const session = modern ? undefined : await open();
    let ended = false;
    answer = (_, __, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(': begun\n\n');
      response.on('close', () => {
        ended = true;
      });
    };
    const controller = new AbortController();
    leaving.push(controller);
    const reply = await post(`left-${era}`, 'dear', {
      modern,
      signal: controller.signal,
      ...(session !== undefined && { session }),
    });
    await reply.body?.getReader().read();
    controller.abort();
    await eventually(() => ended);
    const receipt = await receiptOf(`left-${era}`, 'dear');
    expect([receipt.ending, receipt.cost_usd]).toEqual(['client_left', '0.25']);
    expect(fixture.seen.some((s) => s.text.includes('notifications/cancelled'))).toBe(false);
  });
});

describe('a task (2025-11-25)', () => {
  const ask = async (method: string, taskId?: string, key?: string): Promise<string> => {
    const reply = await fetch(`${gate.url}/run/tasks/mcp/s`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        ...(key !== undefined && { authorization: `Bearer ${key}` }),
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 9, method, params: taskId === undefined ? {} : { taskId } }),
    });
    return reply.text();
  };

  it('belongs to the caller whose call began it, and its result is judged as that tool’s', async () => {
    answer = (text, _, response) => {
      if (text.includes('tools/call')) json(response, text, { task: { taskId: 't-1', status: 'working' } });
      else if (text.includes('tasks/list'))
        json(response, text, { tasks: [{ taskId: 't-0' }, { taskId: 't-1' }, { taskId: 't-2' }] });
      else json(response, text, { content: [{ type: 'text', text: SECRET }] });
    };
    await post('tasks', 'guarded');
    expect(await ask('tasks/list')).toContain('"tasks":[{"taskId":"t-1"}]');
    const result = await ask('tasks/result', 't-1');
    expect(result).toContain('test/no-secrets');
    expect(result).not.toContain(SECRET);
    const sent = fixture.seen.length;
    expect(JSON.parse(await ask('tasks/get', 't-2'))).toMatchObject({ error: { code: -32602 } });
    expect(fixture.seen).toHaveLength(sent);
  });
});

describe('money', () => {
  it('a budget that is short denies with a result that says what is left; nothing is sent', async () => {
    for (let n = 0; n < 2; n += 1) expect(await (await post('spender', 'dear')).text()).toContain('ok');
    const sent = fixture.seen.filter((s) => s.text.includes('tools/call')).length;
    const denied = (await (await post('spender', 'dear')).json()) as { result: { isError: boolean } };
    expect(denied.result.isError).toBe(true);
    expect(JSON.stringify(denied)).toContain('run budget of $0.6 (total) has $0.1 left');
    expect(fixture.seen.filter((s) => s.text.includes('tools/call'))).toHaveLength(sent);
  });

  it('a tool that failed costs what its price says', async () => {
    answer = (text, _, response) => json(response, text, { content: [], isError: true });
    await post('failing', 'moody');
    await post('failing', 'dear');
    expect((await receiptOf('failing', 'moody')).cost_usd).toBe('0');
    expect((await receiptOf('failing', 'dear')).cost_usd).toBe('0.25');
  });

  it('units of the result are counted; where none was seen the bound is the charge', async () => {
    answer = (text, _, response) => json(response, text, { content: [], structuredContent: { pages: 3 } });
    await post('counting', 'counted');
    expect((await receiptOf('counting', 'counted')).cost_usd).toBe('0.03');
    answer = (_, __, response) => response.destroy();
    await post('broken', 'counted');
    expect((await receiptOf('broken', 'counted')).cost_usd).toBe('0.2');
  });
});

it('a halted run is refused everything that follows, whatever it asks for', async () => {
  expect(await (await post('halted', 'stop')).text()).toContain('test/stop');
  const sent = fixture.seen.length;
  expect(await (await post('halted', 'plain')).text()).toContain('halt/run');
  expect(fixture.seen).toHaveLength(sent);
  expect(await (await post('other', 'plain')).text()).toContain('ok');
});
