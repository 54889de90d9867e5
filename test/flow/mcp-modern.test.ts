import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { McpServer } from '@modelcontextprotocol/server';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
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
  return server;
}

const cleanup: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of cleanup.splice(0).reverse()) await close();
});

async function start(policy?: string): Promise<{ gate: TestGate; fixture: McpFixture; client: Client }> {
  const fixture = await startModernFixture(build);
  cleanup.push(() => fixture.close());
  const gate = await startTestGate({
    upstreams: {},
    ...(policy !== undefined && { policy }),
    config: { mcp: { servers: { files: { url: fixture.url } }, pins: { mode: 'first-use' } } },
  });
  cleanup.push(() => gate.remove());
  const client = new Client({ name: 'test', version: '1' }, { versionNegotiation: { mode: 'auto' } });
  await client.connect(new StreamableHTTPClientTransport(new URL(`${gate.url}/mcp/files`)));
  cleanup.push(() => client.close());
  return { gate, fixture, client };
}

describe('a modern server behind the gate, with the split client', () => {
  it('lists and calls tools without any session', async () => {
    const { client, fixture } = await start();
    expect((await client.listTools()).tools.map((t) => t.name)).toEqual(['echo', 'delete']);
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
    const denied = await vi.waitUntil(async () => (await gate.calls()).find((call) => call.ending === 'denied'));
    expect(denied?.actions.map((a) => [a.point, a.tool, a.decision, a.rule])).toContainEqual([
      'pre_tool_call',
      'delete',
      'deny',
      'test/no-delete',
    ]);
  });
});
