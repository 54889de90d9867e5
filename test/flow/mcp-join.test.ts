import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { afterEach, describe, expect, it } from 'vitest';
import type { CallView } from '../../gateway/admin/views.ts';
import { eventually } from '../support/eventually.ts';
import { startTestGate, type TestGate } from '../support/gate.ts';
import { startLegacyFixture } from '../support/mcp-fixture.ts';
import { everythingServer } from '../support/mcp-tools.ts';
import { completion, json, startUpstream } from '../support/upstream.ts';

const LOOPS = `policy: tollgate/v1
name: test
default: allow
rules:
  - id: twice
    at: pre_tool_call
    when: run.identical_calls >= 2
    verdict: deny
    reason: loop
`;

const cleanup: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of cleanup.splice(0).reverse()) await close();
});

async function start(
  proposed: string,
  policy?: string,
): Promise<{ gate: TestGate; client: Client; ask(): Promise<Response> }> {
  const fixture = await startLegacyFixture(everythingServer);
  cleanup.push(() => fixture.close());
  const call = { id: 'call_7', type: 'function', function: { name: proposed, arguments: '{"text":"hi", "n":1}' } };
  const model = await startUpstream((_, response) => json(response, 200, completion({ tool_calls: [call] })));
  cleanup.push(() => model.close());
  const gate = await startTestGate({
    upstreams: { openai: { base_url: model.url, dialects: ['openai-chat'] } },
    ...(policy !== undefined && { policy }),
    config: { mcp: { servers: { files: { url: fixture.url } }, pins: { mode: 'first-use' } } },
  });
  cleanup.push(() => gate.remove());
  const client = new Client({ name: 'test', version: '1' });
  await client.connect(new StreamableHTTPClientTransport(new URL(`${gate.url}/mcp/files`)));
  cleanup.push(() => client.close());
  const ask = (): Promise<Response> =>
    fetch(`${gate.url}/openai/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'gpt-4o-mini', messages: [{ role: 'user', content: `say hi ${Math.random()}` }] }),
    });
  return { gate, client, ask };
}

const executions = (gate: TestGate, count: number): Promise<CallView[]> =>
  eventually(async () => {
    const found = (await gate.calls()).filter(
      (c) => c.dialect === 'mcp' && c.actions.some((a) => a.point === 'pre_tool_call'),
    );
    return found.length >= count ? found.toReversed() : undefined;
  });

describe('one call on two planes is one step (attribution.md 7)', () => {
  it.each(['echo', 'mcp__files__echo', 'files__echo', 'mcp__other_name__echo'])(
    'a call proposed as `%s` and executed here joins the run and the step of its proposal, once',
    async (name) => {
      const { gate, client, ask } = await start(name);
      await ask();
      const args = { n: 1, text: 'hi' };
      await client.callTool({ name: 'echo', arguments: args });
      await client.callTool({ name: 'echo', arguments: args });
      const [first, second] = await executions(gate, 2);
      const model = (await gate.calls()).find((c) => c.dialect === 'openai-chat');
      expect([first?.run, first?.step]).toEqual([model?.run, model?.step]);
      expect(second?.run).not.toBe(model?.run);
    },
  );

  it('the same tool with other arguments is no execution of it', async () => {
    const { gate, client, ask } = await start('echo');
    await ask();
    await client.callTool({ name: 'echo', arguments: { text: 'bye' } });
    const [execution] = await executions(gate, 1);
    const model = (await gate.calls()).find((c) => c.dialect === 'openai-chat');
    expect(execution?.run).not.toBe(model?.run);
  });

  it('the execution is not counted as a second call: a rule about repetition sees one', async () => {
    const { client, ask } = await start('echo', LOOPS);
    await ask();
    const result = await client.callTool({ name: 'echo', arguments: { text: 'hi', n: 1 } });
    expect(result.isError).toBeFalsy();
  });
});
