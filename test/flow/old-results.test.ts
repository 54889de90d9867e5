import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import OpenAI from 'openai';
import { afterEach, describe, expect, it } from 'vitest';
import { startTestGate, type TestGate } from '../support/gate.ts';
import { completion, json, startUpstream, type TestUpstream } from '../support/upstream.ts';

let gate: TestGate;
let upstream: TestUpstream;

afterEach(async () => {
  await gate.remove();
  await upstream.close();
});

const policyOf = (rules: string): string => `
policy: tollgate/v1
name: test
default: allow
rules:
${rules}`;

/** Its answer about the same text changes as the run goes on. */
const lateFrom = (step: number): string => `
  - id: late
    at: post_tool_call
    when: run.steps >= ${step} && result == "notes"
    verdict: deny
    reason: too_late
`;
const LATE = lateFrom(2);
const MAIL = `
  - id: mail
    at: post_tool_call
    detect: [pii]
    when: findings.exists(f, f.kind == "pii.email")
    transform: [{ redact: pii.email, as: token }]
    verdict: transform
`;

async function open(rules: string): Promise<void> {
  upstream = await startUpstream((_request, response) => json(response, 200, completion({ content: 'go on' })));
  gate = await startTestGate({
    policy: policyOf(rules),
    upstreams: { openai: { base_url: upstream.url, dialects: ['openai-chat'] } },
  });
}

type Message = OpenAI.ChatCompletionMessageParam;

/** The history of an agent whose tool said these things, one a step. */
const history = (results: readonly string[]): Message[] => [
  { role: 'user', content: 'go' },
  ...results.flatMap((content, i): Message[] => [
    {
      role: 'assistant',
      content: null,
      tool_calls: [{ id: `call_${i}`, type: 'function', function: { name: 'read', arguments: '{}' } }],
    },
    { role: 'tool', tool_call_id: `call_${i}`, content },
  ]),
];

/** Status of the turn that brings the last of the results. */
async function turn(results: readonly string[], run = 'r'): Promise<number> {
  const client = new OpenAI({ baseURL: `${gate.url}/run/${run}/openai/v1`, apiKey: 'sk-own', maxRetries: 0 });
  const ask = client.chat.completions.create({ model: 'gpt-4o-mini', messages: history(results) });
  return ask.then(
    () => 200,
    (error: { status: number }) => error.status,
  );
}

describe('a tool result that its run brought before', () => {
  it('is not judged anew: what passed passes, also where a rule now thinks otherwise', async () => {
    await open(LATE);
    expect(await turn(['notes'])).toBe(200);
    expect(await turn(['notes', 'more'])).toBe(200);
    expect(await turn(['notes', 'more', 'and more'])).toBe(200);
    expect(await turn(['notes', 'more', 'and more', 'notes'])).toBe(403);
    const calls = await gate.sealed(4);
    const results = calls.flatMap(({ actions }) => actions.filter(({ point }) => point === 'post_tool_call'));
    expect(results.map(({ decision }) => decision)).toEqual(['allow', 'allow', 'allow', 'deny']);
  });

  it('is judged in another run, and where its text is another', async () => {
    await open(LATE);
    expect(await turn(['notes'])).toBe(200);
    expect(await turn(['other'], 'second')).toBe(200);
    expect(await turn(['other', 'words'], 'second')).toBe(200);
    expect(await turn(['notes', 'words'], 'second')).toBe(403);
  });

  it('is known where nobody named the run: by the conversation', async () => {
    let said = 0;
    upstream = await startUpstream((_request, response) => {
      said += 1;
      const id = `call_aBcDeFgHiJ${said}x`;
      const call = { id, type: 'function', function: { name: 'read', arguments: `{"page":${said}}` } };
      json(response, 200, completion({ tool_calls: [call] }));
    });
    gate = await startTestGate({
      policy: policyOf(lateFrom(3)),
      upstreams: { openai: { base_url: upstream.url, dialects: ['openai-chat'] } },
    });
    const client = new OpenAI({ baseURL: `${gate.url}/openai/v1`, apiKey: 'sk-own', maxRetries: 0 });
    const messages: Message[] = [{ role: 'user', content: 'go' }];
    const next = async (result: string): Promise<void> => {
      const { choices } = await client.chat.completions.create({ model: 'gpt-4o-mini', messages });
      const message = choices[0]?.message as OpenAI.ChatCompletionMessage;
      messages.push(message, { role: 'tool', tool_call_id: message.tool_calls?.[0]?.id ?? '', content: result });
    };
    await next('notes');
    for (const result of ['a', 'b', 'c', 'notes']) await next(result);
    await expect(next('d')).rejects.toMatchObject({ status: 403 });
    const calls = await gate.sealed(6);
    expect(new Set(calls.map(({ run }) => run)).size).toBe(1);
  });

  it('that passed in a request which was refused has not passed', async () => {
    await open(`${LATE}
  - id: never
    at: input
    when: text.contains("forbidden")
    verdict: deny
    reason: forbidden
`);
    expect(await turn(['notes'], 'warm')).toBe(200);
    const client = new OpenAI({ baseURL: `${gate.url}/run/r/openai/v1`, apiKey: 'sk-own', maxRetries: 0 });
    const messages = [...history(['notes']), { role: 'user', content: 'forbidden' } as const];
    await expect(client.chat.completions.create({ model: 'gpt-4o-mini', messages })).rejects.toMatchObject({
      status: 403,
    });
    expect(await turn(['a'], 'r')).toBe(200);
    expect(await turn(['a', 'b'], 'r')).toBe(200);
    expect(await turn(['notes'], 'r')).toBe(403);
  });

  it('is edited to the same bytes each time', async () => {
    await open(MAIL);
    const mail = 'write to ada@example.com, then to bob@example.com';
    expect(await turn([mail])).toBe(200);
    expect(await turn([mail, 'ok'])).toBe(200);
    expect(await turn([mail, 'ok', 'carol@example.com'])).toBe(200);
    const carried = upstream.received.map(({ text }) => JSON.parse(text).messages[2].content);
    expect(carried).toEqual(Array(3).fill('write to <EMAIL_1>, then to <EMAIL_2>'));
  });

  it('is judged by rules that it has not met', async () => {
    await open('  - { id: none, at: output, when: "false", verdict: deny, reason: never }\n');
    expect(await turn(['notes'])).toBe(200);
    expect(await turn(['notes', 'more'])).toBe(200);
    writeFileSync(join(gate.folder, 'policies', 'test', 'policy.yaml'), policyOf(LATE));
    gate.running.reload();
    expect(await turn(['notes', 'more', 'again'])).toBe(403);
  });
});
