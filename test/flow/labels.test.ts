import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import OpenAI from 'openai';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { runCommandLine } from '../../gateway/cli/program.ts';
import { startTestGate, type TestGate, type TestGateOptions } from '../support/gate.ts';
import { completion, json, startUpstream, type TestUpstream } from '../support/upstream.ts';

let gate: TestGate;
let upstream: TestUpstream;

afterEach(async () => {
  vi.restoreAllMocks();
  await gate.remove();
  await upstream.close();
});

const POLICY = `
policy: tollgate/v1
name: test
default: allow
tools:
  query_db: { effect: read, secrecy: confidential }
  send_email: { effect: egress }
rules:
  - id: mark
    at: post_tool_call
    when: tool.secrecy == "confidential"
    verdict: allow
    labels: [confidential]
  - id: secret-then-egress
    at: pre_tool_call
    when: tool.effect == "egress" && "confidential" in run.labels
    verdict: deny
    reason: flow_violation
`;

const options = (): TestGateOptions => ({
  policy: POLICY,
  upstreams: { openai: { base_url: upstream.url, dialects: ['openai-chat'] } },
});

/** The model always wants to send mail. */
async function open(): Promise<void> {
  const mail = { id: 'm', type: 'function', function: { name: 'send_email', arguments: '{"to":"x@example.com"}' } };
  upstream = await startUpstream((_request, response) => json(response, 200, completion({ tool_calls: [mail] })));
  gate = await startTestGate(options());
}

const USER = { role: 'user' as const, content: 'go' };
const RESULT = [
  USER,
  {
    role: 'assistant' as const,
    content: null,
    tool_calls: [{ id: 'q', type: 'function' as const, function: { name: 'query_db', arguments: '{}' } }],
  },
  { role: 'tool' as const, tool_call_id: 'q', content: 'Anna, 42' },
];

async function mails(run: string, messages: readonly object[]): Promise<boolean> {
  const client = new OpenAI({ baseURL: `${gate.url}/run/${run}/openai/v1`, apiKey: 'sk-own' });
  const answer = await client.chat.completions.create({ model: 'gpt-4o-mini', messages: messages as [typeof USER] });
  return (answer.choices[0]?.message.tool_calls?.length ?? 0) > 0;
}

describe('a label', () => {
  it('stays on its run: what was read there no longer goes out, and other runs are free', async () => {
    await open();
    expect(await mails('r', [USER])).toBe(true);
    expect(await mails('r', RESULT)).toBe(false);
    expect(await mails('r', [{ ...USER, content: 'a new topic' }])).toBe(false);
    expect(await mails('other', [USER])).toBe(true);
    const [, denied] = await gate.sealed(4);
    expect(denied?.actions.find((a) => a.point === 'pre_tool_call')).toMatchObject({
      decision: 'deny',
      rule: 'test/secret-then-egress',
      reason: 'flow_violation',
    });
  });

  it('does not vanish with a restart', async () => {
    await open();
    expect(await mails('r', RESULT)).toBe(false);
    await gate.stop();
    gate = await startTestGate({ ...options(), folder: gate.folder });
    expect(await mails('r', [{ ...USER, content: 'a new topic' }])).toBe(false);
    expect(await mails('other', [USER])).toBe(true);
  });
});

describe('tollgate explain', () => {
  it('says which rule decided, where it stands, and warns of a policy that has changed since', async () => {
    await open();
    await mails('r', RESULT);
    const [call] = await gate.sealed(1);
    const config = ['--config', join(gate.folder, 'tollgate.yaml')];
    let out = '';
    vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
      out += String(text);
      return true;
    });
    await runCommandLine(['node', 'tollgate', 'explain', call?.id ?? '', ...config]);
    const text = out;
    out = '';
    await runCommandLine(['node', 'tollgate', 'explain', call?.id ?? '', '--json', ...config]);
    const json = out;
    out = '';
    writeFileSync(join(gate.folder, 'policies', 'test', 'policy.yaml'), `# one line more\n${POLICY}`);
    await runCommandLine(['node', 'tollgate', 'explain', call?.id ?? '', ...config]);
    const changed = out;
    const parsed = JSON.parse(json) as {
      warning: string | null;
      actions: { rule: string | null; rule_at: string | null }[];
    };
    vi.restoreAllMocks();
    expect(text).toMatch(
      /pre_tool_call send_email: deny by test\/secret-then-egress \(.*policy\.yaml:14\), flow_violation/,
    );
    expect(text).toMatch(/cost {4}\$0\.\d+ \(exact\)/);
    expect(text).not.toContain('WARNING');
    expect(changed).toContain('WARNING the policies have changed since this call');
    expect(parsed.warning).toBe(null);
    expect(parsed.actions.find((a) => a.rule === 'test/secret-then-egress')?.rule_at).toMatch(/policy\.yaml:14$/);
  });
});
