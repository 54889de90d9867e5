import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { acceptedContent, inputRequired, McpServer } from '@modelcontextprotocol/server';
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { eventually } from '../support/eventually.ts';
import { startTestGate, type TestGate } from '../support/gate.ts';
import { type McpFixture, startModernFixture } from '../support/mcp-fixture.ts';

const DENY = `policy: tollgate/v1
name: test
default: allow
rules:
  - id: no-delete
    at: pre_tool_call
    tools: [delete]
    when: args.path == '/'
    verdict: deny
    reason: destructive
    message: the root is never deleted here
`;

function build(): McpServer {
  const server = new McpServer({ name: 'fixture', version: '1' });
  server.registerTool(
    'echo',
    { description: 'says it again', inputSchema: z.object({ text: z.string() }) },
    ({ text }) => ({ content: [{ type: 'text', text }] }),
  );
  server.registerTool('delete', { description: 'deletes', inputSchema: z.object({ path: z.string() }) }, () => ({
    content: [{ type: 'text', text: 'gone' }],
  }));
  server.registerTool(
    'deploy',
    { description: 'deploys', inputSchema: z.object({ env: z.string() }) },
    ({ env }, ctx) => {
      const sure = acceptedContent(ctx.mcpReq.inputResponses, 'sure', z.object({ yes: z.boolean() }));
      if (sure?.yes === true) return { content: [{ type: 'text', text: `deployed to ${env}` }] };
      return inputRequired({
        inputRequests: {
          sure: inputRequired.elicit({
            message: `Deploy to ${env}?`,
            requestedSchema: { type: 'object', properties: { yes: { type: 'boolean' } }, required: ['yes'] },
          }),
        },
      });
    },
  );
  return server;
}

const PRICES = `currency: USD
tools:
  - tool: deploy
    server: files
    checked: 2026-11-22
    rows:
      - from: 2026-01-01
        per_call: "0.25"
`;

const cleanup: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of cleanup.splice(0).reverse()) await close();
});

async function start(
  policy?: string,
  more: Record<string, unknown> = {},
): Promise<{ gate: TestGate; fixture: McpFixture; client: Client }> {
  const fixture = await startModernFixture(build);
  cleanup.push(() => fixture.close());
  const gate = await startTestGate({
    upstreams: {},
    ...(policy !== undefined && { policy }),
    config: { mcp: { servers: { files: { url: fixture.url } }, pins: { mode: 'first-use' } }, ...more },
  });
  cleanup.push(() => gate.remove());
  const client = new Client(
    { name: 'test', version: '1' },
    { versionNegotiation: { mode: 'auto' }, capabilities: { elicitation: { form: {} } } },
  );
  client.setRequestHandler('elicitation/create', () => ({ action: 'accept', content: { yes: true } }));
  await client.connect(new StreamableHTTPClientTransport(new URL(`${gate.url}/mcp/files`)));
  cleanup.push(() => client.close());
  return { gate, fixture, client };
}

describe('a modern server behind the gate, with the split client', () => {
  it('lists and calls tools without any session', async () => {
    const { client, fixture } = await start();
    expect((await client.listTools()).tools.map((t) => t.name)).toEqual(['echo', 'delete', 'deploy']);
    const result = await client.callTool({ name: 'echo', arguments: { text: 'hi' } });
    expect(result.content).toEqual([{ type: 'text', text: 'hi' }]);
    expect(fixture.seen.some((s) => s.headers['mcp-session-id'] !== undefined)).toBe(false);
  });

  it('denies with a complete result the model can read; the server is not called', async () => {
    const { client, fixture, gate } = await start(DENY);
    const result = await client.callTool({ name: 'delete', arguments: { path: '/' } });
    expect(result.isError).toBe(true);
    expect(JSON.stringify(result.content)).toContain('the root is never deleted here');
    expect(fixture.seen.filter((s) => s.text.includes('"tools/call"'))).toHaveLength(0);
    const denied = await eventually(async () => (await gate.calls()).find((call) => call.ending === 'denied'));
    expect(denied?.actions.map((a) => [a.point, a.tool, a.decision, a.rule])).toContainEqual([
      'pre_tool_call',
      'delete',
      'deny',
      'test/no-delete',
    ]);
  });

  it('a call that asks for input is one step and one charge; its state is ours (SEP-2322)', async () => {
    const pricing = mkdtempSync(join(tmpdir(), 'tollgate-prices-'));
    copyFileSync(join(import.meta.dirname, '../../pricing/openai.yaml'), join(pricing, 'openai.yaml'));
    writeFileSync(join(pricing, 'tools.yaml'), PRICES);
    const { client, fixture, gate } = await start(undefined, {
      pricing,
      budgets: [{ scope: 'run', limit_usd: 1 }],
    });
    const result = await client.callTool({ name: 'deploy', arguments: { env: 'prod' } });
    expect(result.content).toEqual([{ type: 'text', text: 'deployed to prod' }]);
    const legs = fixture.seen.filter((s) => s.text.includes('"tools/call"'));
    expect(legs).toHaveLength(2);
    expect(legs[1]?.text).not.toContain('requestState');
    const calls = await eventually(async () => {
      const found = (await gate.calls()).filter((c) => c.actions.some((a) => a.tool === 'deploy')).toReversed();
      return found.length === 2 ? found : undefined;
    });
    expect(calls.map((c) => [c.step, c.attempt, c.cost_usd])).toEqual([
      [1, 1, '0.25'],
      [1, 2, '0'],
    ]);
    expect(new Set(calls.map((c) => c.run)).size).toBe(1);
    rmSync(pricing, { recursive: true });
  });

  it('refuses a state that belongs to another call, another caller or nobody, with -32602', async () => {
    const { gate, fixture } = await start();
    const post = async (name: string, params: Record<string, unknown>, method = 'tools/call') => {
      const body = {
        jsonrpc: '2.0',
        id: 1,
        method,
        params: {
          name,
          ...params,
          _meta: {
            'io.modelcontextprotocol/protocolVersion': '2026-07-28',
            'io.modelcontextprotocol/clientCapabilities': { elicitation: { form: {} } },
          },
        },
      };
      const answer = await fetch(`${gate.url}/mcp/files`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
          'mcp-protocol-version': '2026-07-28',
          'mcp-method': method,
          'mcp-name': name,
        },
        body: JSON.stringify(body),
      });
      return {
        status: answer.status,
        body: (await answer.json()) as { result: { resultType: string; requestState: string; content: unknown } },
      };
    };
    const first = await post('deploy', { arguments: { env: 'prod' } });
    expect(first.body.result.resultType).toBe('input_required');
    const requestState = first.body.result.requestState;
    expect(requestState).toMatch(/^[\x21-\x7e]+$/);
    const yes = { sure: { action: 'accept', content: { yes: true } } };
    const before = fixture.seen.length;
    for (const [name, params] of [
      ['deploy', { arguments: { env: 'other' }, inputResponses: yes, requestState }],
      ['echo', { arguments: { text: 'x' }, requestState }],
      ['deploy', { arguments: { env: 'prod' }, inputResponses: yes, requestState: `${requestState}x` }],
      ['deploy', { arguments: { env: 'prod' }, inputResponses: yes, requestState: 'stolen' }],
      ['deploy', { arguments: { env: 'prod' }, inputResponses: yes, requestState: 7 }],
    ] as const) {
      expect(await post(name, params)).toMatchObject({ status: 400, body: { error: { code: -32602 } } });
    }
    expect(fixture.seen).toHaveLength(before);
    const done = await post('deploy', { arguments: { env: 'prod' }, inputResponses: yes, requestState });
    expect(done.body.result.content).toEqual([{ type: 'text', text: 'deployed to prod' }]);
  });
});
