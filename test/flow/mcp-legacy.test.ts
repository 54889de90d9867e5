import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { startTestGate, type TestGate } from '../support/gate.ts';
import { type McpFixture, startLegacyFixture } from '../support/mcp-fixture.ts';

const DENY = `policy: tollgate/v1
name: test
default: allow
rules:
  - id: no-delete
    at: pre_tool_call
    tools: [delete]
    verdict: deny
    reason: destructive
    message: files are never deleted here
`;

function build(): McpServer {
  const server = new McpServer({ name: 'fixture', version: '1' });
  server.registerTool('echo', { description: 'says it again', inputSchema: { text: z.string() } }, ({ text }) => ({
    content: [{ type: 'text', text }],
  }));
  server.registerTool('delete', { description: 'deletes', inputSchema: { path: z.string() } }, () => ({
    content: [{ type: 'text', text: 'gone' }],
  }));
  return server;
}

const cleanup: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of cleanup.splice(0).reverse()) await close();
});

async function start(policy?: string): Promise<{ gate: TestGate; fixture: McpFixture; client: Client }> {
  const fixture = await startLegacyFixture(build);
  cleanup.push(() => fixture.close());
  const gate = await startTestGate({
    upstreams: {},
    ...(policy !== undefined && { policy }),
    config: { mcp: { servers: { files: { url: fixture.url } }, pins: { mode: 'first-use' } } },
  });
  cleanup.push(() => gate.remove());
  const client = new Client({ name: 'test', version: '1' });
  await client.connect(new StreamableHTTPClientTransport(new URL(`${gate.url}/mcp/files`)));
  cleanup.push(() => client.close());
  return { gate, fixture, client };
}

describe('a legacy server behind the gate, with the official client', () => {
  it('lists and calls tools; the receipt names them', async () => {
    const { gate, client } = await start();
    expect((await client.listTools()).tools.map((t) => t.name)).toEqual(['echo', 'delete']);
    const result = await client.callTool({ name: 'echo', arguments: { text: 'hi' } });
    expect(result.content).toEqual([{ type: 'text', text: 'hi' }]);
    const calls = await gate.sealed(5);
    const call = calls.find((c) => c.actions.some((a) => a.tool === 'echo'));
    expect(call?.actions.map((a) => [a.point, a.decision])).toEqual([
      ['pre_tool_call', 'allow'],
      ['post_tool_call', 'allow'],
    ]);
    expect(call).toMatchObject({ upstream: 'files', dialect: 'mcp', status: 200, ending: 'completed', step: 1 });
  });

  it('denies with a result the model can read', async () => {
    const { client, fixture } = await start(DENY);
    await client.listTools();
    const result = await client.callTool({ name: 'delete', arguments: { path: '/' } });
    expect(result.isError).toBe(true);
    expect(JSON.stringify(result.content)).toContain('files are never deleted here');
    expect(fixture.seen.filter((s) => s.text.includes('tools/call'))).toHaveLength(0);
  });
});
