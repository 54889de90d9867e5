import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { McpServer } from '@modelcontextprotocol/server';
import OpenAI from 'openai';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { startTestGate, type TestGate } from '../support/gate.ts';
import { startModernFixture } from '../support/mcp-fixture.ts';
import { completion, json, startUpstream } from '../support/upstream.ts';

const POLICY = `policy: tollgate/v1
name: test
default: allow
rules:
  - { id: dear, at: post_tool_call, tools: render, when: has(tool.price_usd) && tool.price_usd > 0.05, verdict: deny, reason: too_dear }
  - { id: careless, at: post_tool_call, tools: careless, when: tool.price_usd > 0.05, verdict: deny }
`;

const PRICES = `currency: USD
tools:
${['render', 'careless']
  .map(
    (tool) => `  - tool: ${tool}
    checked: 2026-11-22
    rows:
      - from: 2026-01-01
        per_call: "0.01"
        units: [{ unit: page, in: arguments, at: /pages, usd: "0.01", max: 100 }]
`,
  )
  .join('')}`;

const build = (): McpServer => {
  const server = new McpServer({ name: 'fixture', version: '1' });
  for (const name of ['render', 'careless'])
    server.registerTool(name, { description: name, inputSchema: z.object({ pages: z.number() }) }, ({ pages }) => ({
      content: [{ type: 'text', text: `${pages} pages` }],
    }));
  return server;
};

const cleanup: (() => Promise<unknown>)[] = [];
let gate: TestGate;

beforeEach(async () => {
  const pricing = mkdtempSync(join(tmpdir(), 'tollgate-pricing-'));
  cleanup.push(async () => rmSync(pricing, { recursive: true, force: true }));
  cpSync('pricing', pricing, { recursive: true });
  writeFileSync(join(pricing, 'tools.yaml'), PRICES);
  const fixture = await startModernFixture(build);
  cleanup.push(() => fixture.close());
  const upstream = await startUpstream((_request, response) => json(response, 200, completion({ content: 'read' })));
  cleanup.push(() => upstream.close());
  gate = await startTestGate({
    policy: POLICY,
    upstreams: { openai: { base_url: upstream.url, dialects: ['openai-chat'] } },
    config: { pricing, mcp: { servers: { print: { url: fixture.url } }, pins: { mode: 'first-use' } } },
  });
  cleanup.push(() => gate.remove());
});

afterEach(async () => {
  for (const close of cleanup.splice(0).reverse()) await close();
});

describe('`tool.price_usd` where a result comes back', () => {
  it('is what the executed call could cost at most, over MCP', async () => {
    const client = new Client({ name: 'test', version: '1' }, { versionNegotiation: { mode: 'auto' } });
    await client.connect(new StreamableHTTPClientTransport(new URL(`${gate.url}/mcp/print`)));
    cleanup.push(() => client.close());
    const call = async (name: string, pages: number): Promise<string> =>
      JSON.stringify((await client.callTool({ name, arguments: { pages } })).content);
    expect(await call('render', 4)).toContain('4 pages');
    expect(await call('render', 5)).toContain('too_dear');
    expect(await call('careless', 4)).toContain('4 pages');
    expect(await call('careless', 5)).toContain('test/careless');
  });

  it('is not known on the side of the model: `has` is false, and a condition that reads it anyway denies', async () => {
    const client = new OpenAI({ baseURL: `${gate.url}/run/r/openai/v1`, apiKey: 'sk-own', maxRetries: 0 });
    const read = (name: string) =>
      client.chat.completions.create({
        model: 'gpt-4o-mini',
        messages: [
          { role: 'user', content: 'print it' },
          {
            role: 'assistant',
            tool_calls: [{ id: 'call_1', type: 'function', function: { name, arguments: '{"pages":90}' } }],
          },
          { role: 'tool', tool_call_id: 'call_1', content: '90 pages' },
        ],
      });
    expect((await read('render')).choices[0]?.message.content).toBe('read');
    await expect(read('careless')).rejects.toMatchObject({
      status: 403,
      message: expect.stringMatching(/test\/careless.*no price of this tool is known/),
    });
  });
});
