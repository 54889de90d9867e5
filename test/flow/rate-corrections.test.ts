import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { startTestGate, type TestGate } from '../support/gate.ts';
import { listening, type McpFixture } from '../support/mcp-fixture.ts';
import { readStore } from '../support/store.ts';
import { json, startUpstream, type TestUpstream } from '../support/upstream.ts';

let gate: TestGate;
let upstream: TestUpstream | undefined;
let fixture: McpFixture | undefined;

afterEach(async () => {
  await gate.remove();
  await upstream?.close();
  await fixture?.close();
  upstream = undefined;
  fixture = undefined;
});

/** What the gate counts of a rate, by the unit. */
const counted = (unit: 'requests' | 'tokens'): Promise<number> =>
  readStore(gate, (db) => {
    const sum = db.prepare('SELECT sum(amount) AS sum FROM rates WHERE account LIKE ?').get(`%:${unit}`);
    return Number(sum?.['sum'] ?? 0);
  });

describe('a background response', () => {
  const USAGE = { input_tokens: 1000, output_tokens: 100, total_tokens: 1100 };
  const config = {
    budgets: [
      { scope: 'tenant', window: 'day', limit_tokens: 100_000 },
      { scope: 'agent', window: 'day', limit_requests: 10 },
    ],
  };
  const upstreams = () => ({ openai: { base_url: upstream?.url ?? '', dialects: ['openai-responses'] } });
  const poll = (): Promise<Response> => fetch(`${gate.url}/openai/v1/responses/resp_1`);

  it('counts at its most while it is under way, and at what it came to once somebody saw its end, restart or not', async () => {
    let status = 'queued';
    upstream = await startUpstream((_request, response) => {
      const usage = status === 'completed' ? USAGE : null;
      json(response, 200, { id: 'resp_1', object: 'response', status, model: 'gpt-4o-mini', output: [], usage });
    });
    gate = await startTestGate({ upstreams: upstreams(), config });
    const body = JSON.stringify({ model: 'gpt-4o-mini', input: 'go', background: true, max_output_tokens: 20_000 });
    expect((await fetch(`${gate.url}/openai/v1/responses`, { method: 'POST', body })).status).toBe(200);
    await gate.sealed(1);
    expect(await counted('tokens')).toBeGreaterThan(20_000);
    await gate.stop();
    gate = await startTestGate({ upstreams: upstreams(), config, folder: gate.folder });
    status = 'completed';
    expect((await poll()).status).toBe(200);
    await gate.sealed(3);
    expect([await counted('requests'), await counted('tokens')]).toEqual([1, 1100]);
  });
});

describe('a tool call that only a rate applies to', () => {
  const TOOLS = ['fine', 'forbidden'].map((name) => ({ name, inputSchema: { type: 'object' } }));
  const POLICY = `policy: tollgate/v1
name: test
default: allow
rules:
  - id: not-this
    at: pre_tool_call
    tools: [forbidden]
    verdict: deny
    reason: forbidden
`;

  async function open(limit: number): Promise<void> {
    const seen: McpFixture['seen'] = [];
    const server = createServer((request: IncomingMessage, response: ServerResponse) => {
      let text = '';
      request.on('data', (chunk: Buffer) => {
        text += chunk.toString();
      });
      request.on('end', () => {
        seen.push({ method: request.method ?? '', headers: request.headers, text });
        const { id, method } = JSON.parse(text || '{}') as { id?: number; method?: string };
        const result = method === 'tools/list' ? { tools: TOOLS } : { content: [{ type: 'text', text: 'ok' }] };
        const hello = { protocolVersion: '2025-11-25', capabilities: {}, serverInfo: { name: 's', version: '1' } };
        json(response, 200, { jsonrpc: '2.0', id: id ?? 0, result: method === 'initialize' ? hello : result });
      });
    });
    fixture = await listening(server, seen);
    gate = await startTestGate({
      upstreams: {},
      policy: POLICY,
      config: {
        budgets: [
          { scope: 'agent', window: 'hour', limit_requests: limit },
          { scope: 'tenant', window: 'hour', limit_tokens: 10 },
        ],
        mcp: { servers: { s: { url: fixture.url } }, pins: { mode: 'first-use', max_age_s: 3600 } },
      },
    });
  }

  const send = (name: string): Promise<Response> =>
    fetch(`${gate.url}/mcp/s`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': '2025-11-25',
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 5, method: 'tools/call', params: { name, arguments: {} } }),
    });
  const call = async (name: string): Promise<string> => (await send(name)).text();

  it('takes one request where it is carried and none where a rule denies it', async () => {
    await open(2);
    expect(await call('fine')).toContain('"ok"');
    expect(await call('forbidden')).toContain('forbidden');
    expect(await counted('requests')).toBe(1);
    expect(await call('fine')).toContain('"ok"');
    const refused = await send('fine');
    expect(refused.status).toBe(429);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(50);
    expect(await refused.text()).toMatch(/the agent may use 2 requests per hour and has 0 left; wait [0-9]+ s/);
    expect(await counted('requests')).toBe(2);
    // a tool call has no tokens
    expect(await counted('tokens')).toBe(0);
    // nothing is left open that would lapse
    const stillOpen = await readStore(gate, (db) =>
      db.prepare('SELECT count(*) AS n FROM holds WHERE state = 0').get(),
    );
    expect(stillOpen).toEqual({ n: 0 });
  });
});
