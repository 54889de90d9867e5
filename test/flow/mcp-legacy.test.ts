import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { CreateMessageRequestSchema, ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { afterEach, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { startTestGate, type TestGate } from '../support/gate.ts';
import { type McpFixture, startLegacyFixture } from '../support/mcp-fixture.ts';
import { everythingServer } from '../support/mcp-tools.ts';

const rules = (text: string): string => `policy: tollgate/v1\nname: test\ndefault: allow\nrules:\n${text}`;

const DENY = rules(`
  - id: no-delete
    at: pre_tool_call
    tools: [delete]
    when: args.path == '/'
    verdict: deny
    reason: destructive
    message: the root is never deleted here
`);

const cleanup: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of cleanup.splice(0).reverse()) await close();
});

interface Stage {
  readonly gate: TestGate;
  readonly fixture: McpFixture;
  readonly client: Client;
  readonly transport: StreamableHTTPClientTransport;
}

async function start(policy?: string): Promise<Stage> {
  const fixture = await startLegacyFixture(everythingServer);
  cleanup.push(() => fixture.close());
  const gate = await startTestGate({
    upstreams: {},
    ...(policy !== undefined && { policy }),
    config: { mcp: { servers: { files: { url: fixture.url } }, pins: { mode: 'first-use' } } },
  });
  cleanup.push(() => gate.remove());
  const client = new Client(
    { name: 'test', version: '1' },
    { capabilities: { elicitation: {}, sampling: {}, roots: {} } },
  );
  client.setRequestHandler(ElicitRequestSchema, () => ({ action: 'accept', content: { colour: 'blue' } }));
  client.setRequestHandler(CreateMessageRequestSchema, () => ({
    role: 'assistant',
    model: 'm',
    content: { type: 'text', text: 'four' },
  }));
  const transport = new StreamableHTTPClientTransport(new URL(`${gate.url}/mcp/files`));
  await client.connect(transport);
  cleanup.push(() => client.close());
  return { gate, fixture, client, transport };
}

const textOf = (result: unknown): string => (result as { content: { text: string }[] }).content[0]?.text ?? '';

describe('a legacy server behind the gate, with the official client', () => {
  it('lists and calls tools; the receipt names them', async () => {
    const { gate, client } = await start();
    expect((await client.listTools()).tools).toHaveLength(6);
    const result = await client.callTool({ name: 'echo', arguments: { text: 'hi' } });
    expect(result.content).toEqual([{ type: 'text', text: 'hi' }]);
    const call = await eventually(async () =>
      (await gate.calls()).find((c) => c.actions.some((a) => a.tool === 'echo')),
    );
    expect(call.actions.map((a) => [a.point, a.decision])).toEqual([
      ['pre_tool_call', 'allow'],
      ['post_tool_call', 'allow'],
    ]);
    expect(call).toMatchObject({ upstream: 'files', dialect: 'mcp', status: 200, ending: 'completed', step: 1 });
  });

  it('denies with a result the model can read, and the server is not called', async () => {
    const { client, fixture } = await start(DENY);
    await client.listTools();
    const result = await client.callTool({ name: 'delete', arguments: { path: '/' } });
    expect(result.isError).toBe(true);
    expect(textOf(result)).toContain('the root is never deleted here');
    expect(fixture.seen.filter((s) => s.text.includes('tools/call'))).toHaveLength(0);
    expect(textOf(await client.callTool({ name: 'delete', arguments: { path: '/tmp/x' } }))).toBe('gone');
  });

  it('gives its caller a session of its own; the server never sees it, the caller never the server’s', async () => {
    const { transport, fixture, client } = await start();
    await client.ping();
    const theirs = fixture.seen.map((s) => s.headers['mcp-session-id']).filter((id) => id !== undefined);
    expect(theirs.length).toBeGreaterThan(0);
    expect(theirs).not.toContain(transport.sessionId);
    expect(transport.sessionId).toMatch(/^[\x21-\x7e]+$/);
  });

  it('passes elicitation and its answer', async () => {
    const { client } = await start();
    expect(JSON.parse(textOf(await client.callTool({ name: 'ask' })))).toEqual({
      action: 'accept',
      content: { colour: 'blue' },
    });
  });

  it('passes sampling, and refuses it to the server where a rule denies', async () => {
    const open = await start();
    expect(textOf(await open.client.callTool({ name: 'think' }))).toContain('four');
    const strict = await start(
      rules(`
  - id: no-sampling
    at: pre_model_call
    when: plane == 'mcp'
    verdict: deny
    reason: sampling
`),
    );
    expect(textOf(await strict.client.callTool({ name: 'think' }))).toContain('test/no-sampling');
  });

  it('declines a question to the person that a rule denies', async () => {
    const { client } = await start(
      rules(`
  - id: no-questions
    at: post_tool_call
    tools: [elicitation/create]
    verdict: deny
    reason: question
`),
    );
    expect(JSON.parse(textOf(await client.callTool({ name: 'ask' })))).toEqual({ action: 'decline' });
  });

  it('streams progress as it comes', async () => {
    const { client } = await start();
    const seen: number[] = [];
    await client.callTool({ name: 'steps' }, undefined, { onprogress: ({ progress }) => seen.push(progress) });
    expect(seen).toEqual([1, 2, 3]);
  });

  it('redacts structured content and its copy in text alike', async () => {
    const { client } = await start(
      rules(`
  - id: no-mail
    at: post_tool_call
    detect: pii
    verdict: transform
    transform: [{ redact: pii.email, as: mask }]
`),
    );
    await client.listTools();
    const result = await client.callTool({ name: 'profile' });
    expect(JSON.stringify(result)).not.toContain('lovelace@example');
    expect(JSON.parse(textOf(result))).toEqual(result.structuredContent);
    expect(result.structuredContent).toMatchObject({ name: 'Ada' });
  });

  it('judges resources, prompts and completions as tool calls', async () => {
    const { client } = await start(
      rules(`
  - id: no-notes
    at: pre_tool_call
    tools: [resources/read]
    when: args.uri.startsWith('note://')
    verdict: deny
    reason: private
`),
    );
    await expect(client.readResource({ uri: 'note://one' })).rejects.toThrow(/test\/no-notes/);
    const prompt = await client.getPrompt({ name: 'greet', arguments: { name: 'Ada' } });
    expect(JSON.stringify(prompt)).toContain('Hello Ada');
  });

  it('ends the session at the server', async () => {
    const { client, transport, fixture, gate } = await start();
    await client.ping();
    await transport.terminateSession();
    expect(fixture.seen.filter((s) => s.method === 'DELETE')).toHaveLength(1);
    const ended = await eventually(async () =>
      (await gate.calls()).find((c) => c.actions.some((a) => a.point === 'agent_shutdown')),
    );
    expect(ended.status).toBe(200);
  });
});
