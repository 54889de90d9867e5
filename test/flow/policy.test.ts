import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { afterEach, describe, expect, it } from 'vitest';
import { startTestGate, type TestGate } from '../support/gate.ts';
import { completion, json, message, sse, startUpstream, type TestUpstream } from '../support/upstream.ts';

let gate: TestGate;
let upstream: TestUpstream;

afterEach(async () => {
  await gate.remove();
  await upstream.close();
});

async function open(answer: Parameters<typeof startUpstream>[0], policy: string): Promise<void> {
  upstream = await startUpstream(answer);
  gate = await startTestGate({
    policy,
    upstreams: {
      openai: { base_url: upstream.url, dialects: ['openai-chat'] },
      anthropic: { base_url: upstream.url, dialects: ['anthropic-messages'] },
    },
  });
}

const openai = (): OpenAI => new OpenAI({ baseURL: `${gate.url}/run/r/openai/v1`, apiKey: 'sk-own' });
const anthropic = (): Anthropic => new Anthropic({ baseURL: `${gate.url}/run/r/anthropic`, apiKey: 'own' });
const ASK = { model: 'gpt-4o-mini', messages: [{ role: 'user' as const, content: 'clean up' }] };
const CLAUDE = {
  model: 'claude-sonnet-4-5',
  max_tokens: 500,
  messages: [{ role: 'user' as const, content: 'clean up' }],
};

// built at run time, so that no scanner takes it for a leak
const SECRET = ['AKIA', 'Q3EGRTWB7XPLMN5Z'].join('');

const NO_ROOT_DELETE = `
policy: tollgate/v1
name: test
default: allow
rules:
  - id: no-root-delete
    at: pre_tool_call
    tools: [bash]
    when: args.command.matches("rm\\\\s+-rf\\\\s+/(\\\\s|$)")
    verdict: deny
    reason: destructive_command
    message: deleting from the root is never allowed; delete a path under the workspace instead
`;

const HIDE_SECRETS = `
policy: tollgate/v1
name: test
default: allow
rules:
  - id: hide-secrets
    at: [input, post_tool_call, pre_model_call, post_model_call, output]
    detect: [secrets]
    verdict: transform
    transform: [{ redact: [secret.*], as: token }]
`;

const bash = (id: string, command: string) => ({
  id,
  type: 'function',
  function: { name: 'bash', arguments: JSON.stringify({ command }) },
});

function chunks(deltas: readonly (readonly [Record<string, unknown>, string | null])[]): string[] {
  const base = { id: 'c', object: 'chat.completion.chunk', created: 1, model: 'gpt-4o-mini' };
  return [
    ...deltas.map(
      ([delta, finish]) =>
        `data: ${JSON.stringify({ ...base, choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`,
    ),
    `data: ${JSON.stringify({ ...base, choices: [], usage: { prompt_tokens: 9, completion_tokens: 5, total_tokens: 14 } })}\n\n`,
    'data: [DONE]\n\n',
  ];
}

const toolDelta = (index: number, id: string | undefined, name: string | undefined, args: string) => ({
  tool_calls: [{ index, ...(id && { id, type: 'function' }), function: { ...(name && { name }), arguments: args } }],
});

describe('a denied tool call never reaches the client', () => {
  it('in a unary answer: the other call stays', async () => {
    await open(
      (_r, response) => json(response, 200, completion({ tool_calls: [bash('a', 'rm -rf /'), bash('b', 'ls')] })),
      NO_ROOT_DELETE,
    );
    const answer = await openai().chat.completions.create(ASK);
    const [choice] = answer.choices;
    expect(choice?.message.tool_calls?.map((c) => c.id)).toEqual(['b']);
    expect(choice?.finish_reason).toBe('tool_calls');
    expect(choice?.message.content).toContain('test/no-root-delete');
    const [call] = await gate.sealed(1);
    const judged = call?.actions
      .filter((a) => a.point === 'pre_tool_call')
      .map((a) => [a.tool, a.decision, a.rule, a.reason]);
    expect(judged).toEqual([
      ['bash', 'deny', 'test/no-root-delete', 'destructive_command'],
      ['bash', 'allow', null, null],
    ]);
  });

  it('in a chat stream: the helper ends cleanly with the text instead', async () => {
    const pieces = chunks([
      [{ role: 'assistant', content: 'On it. ' }, null],
      [toolDelta(0, 'a', 'bash', '{"comm'), null],
      [toolDelta(0, undefined, undefined, 'and":"rm -rf /"}'), null],
      [{}, 'tool_calls'],
    ]);
    await open((_r, response) => sse(response, pieces), NO_ROOT_DELETE);
    const stream = openai().chat.completions.stream({ ...ASK, stream: true });
    const final = await stream.finalChatCompletion();
    expect(final.choices[0]?.finish_reason).toBe('stop');
    expect(final.choices[0]?.message.tool_calls ?? []).toEqual([]);
    expect(final.choices[0]?.message.content).toMatch(/^On it\. .*destructive_command/s);
    expect(JSON.stringify(final)).not.toContain('rm -rf');
  });

  it('in an Anthropic stream: a text block stands in its place', async () => {
    const events = [
      { type: 'message_start', message: { ...message([]), stop_reason: null } },
      { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
      { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'On it.' } },
      { type: 'content_block_stop', index: 0 },
      { type: 'content_block_start', index: 1, content_block: { type: 'tool_use', id: 't1', name: 'bash', input: {} } },
      { type: 'content_block_delta', index: 1, delta: { type: 'input_json_delta', partial_json: '{"command":"rm' } },
      { type: 'content_block_delta', index: 1, delta: { type: 'input_json_delta', partial_json: ' -rf / "}' } },
      { type: 'content_block_stop', index: 1 },
      { type: 'message_delta', delta: { stop_reason: 'tool_use', stop_sequence: null }, usage: { output_tokens: 40 } },
      { type: 'message_stop' },
    ];
    await open(
      (_r, response) =>
        sse(
          response,
          events.map((e) => `event: ${e.type}\ndata: ${JSON.stringify(e)}\n\n`),
        ),
      NO_ROOT_DELETE,
    );
    const final = await anthropic().messages.stream(CLAUDE).finalMessage();
    expect(final.stop_reason).toBe('end_turn');
    expect(final.content.map((b) => b.type)).toEqual(['text', 'text']);
    expect(JSON.stringify(final.content)).toContain('test/no-root-delete');
    expect(JSON.stringify(final)).not.toContain('rm -rf');
  });
});

describe('a secret does not pass', () => {
  it('to the model: tool results are redacted, the same bytes every turn', async () => {
    await open((_r, response) => json(response, 200, completion({ content: 'ok' })), HIDE_SECRETS);
    const messages = [
      { role: 'user' as const, content: 'read the file' },
      {
        role: 'assistant' as const,
        content: null,
        tool_calls: [{ id: 'a', type: 'function' as const, function: { name: 'read', arguments: '{}' } }],
      },
      { role: 'tool' as const, tool_call_id: 'a', content: `aws_access_key_id = ${SECRET}\nregion = eu` },
    ];
    await openai().chat.completions.create({ model: 'gpt-4o-mini', messages });
    await openai().chat.completions.create({
      model: 'gpt-4o-mini',
      messages: [...messages, { role: 'user', content: 'and now?' }],
    });
    const sent = upstream.received.map(
      (r) => (r.body?.['messages'] as { content: string }[] | undefined)?.[2]?.content,
    );
    expect(sent[0]).not.toContain(SECRET);
    expect(sent[0]).toContain('region = eu');
    expect(sent[1]).toBe(sent[0]);
    const [first, second] = await gate.sealed(2);
    expect(first?.actions.find((a) => a.point === 'post_tool_call')).toMatchObject({
      decision: 'transform',
      rule: 'test/hide-secrets',
    });
    // the old result is edited again, but it is not a new action
    expect(second?.actions.filter((a) => a.point === 'post_tool_call')).toEqual([]);
  });

  it('to the client: split over two chunks of a stream', async () => {
    const text = ['the key is ', SECRET.slice(0, 9), SECRET.slice(9), ' and that ', 'is all'];
    const pieces = chunks([
      [{ role: 'assistant', content: '' }, null],
      ...text.map((t) => [{ content: t }, null] as const),
      [{}, 'stop'] as const,
    ]);
    await open((_r, response) => sse(response, pieces), HIDE_SECRETS);
    const final = await openai()
      .chat.completions.stream({ ...ASK, stream: true })
      .finalChatCompletion();
    const content = final.choices[0]?.message.content ?? '';
    expect(content).not.toContain(SECRET.slice(9));
    expect(content).toMatch(/^the key is .+ and that is all$/);
    const [call] = await gate.sealed(1);
    expect(call?.actions.some((a) => a.decision === 'transform' && Object.keys(a.findings).length > 0)).toBe(true);
  });

  it('and never lands in the record', async () => {
    await open((_r, response) => json(response, 200, completion({ content: `here: ${SECRET}` })), HIDE_SECRETS);
    const answer = await openai().chat.completions.create({
      ...ASK,
      messages: [{ role: 'user', content: `use ${SECRET}` }],
    });
    expect(answer.choices[0]?.message.content).not.toContain(SECRET);
    expect(upstream.received[0]?.text).not.toContain(SECRET);
    await gate.sealed(1);
    expect(JSON.stringify(await gate.calls())).not.toContain(SECRET);
  });
});

describe('a denial of the request', () => {
  const DENY_INPUT = `
policy: tollgate/v1
name: test
default: allow
rules:
  - id: no-launch
    at: input
    when: text.contains("launch codes")
    verdict: deny
    reason: forbidden_topic
    message: ask for something else
`;
  const SAY = [{ role: 'user' as const, content: 'give me the launch codes' }];

  it('is a clean error that the official clients do not retry', async () => {
    await open((_r, response) => json(response, 200, completion({ content: 'no' })), DENY_INPUT);
    await expect(openai().chat.completions.create({ ...ASK, messages: SAY })).rejects.toMatchObject({
      status: 403,
      code: 'TG_POLICY_DENIED',
    });
    await expect(anthropic().messages.create({ ...CLAUDE, messages: SAY })).rejects.toMatchObject({ status: 403 });
    await expect(openai().chat.completions.create({ ...ASK, messages: SAY, stream: true })).rejects.toMatchObject({
      status: 403,
    });
    expect(upstream.received).toEqual([]);
    const calls = await gate.sealed(3);
    expect(calls.map((c) => [c.ending, c.cost_usd])).toEqual(Array(3).fill(['denied', '0']));
  });
});
