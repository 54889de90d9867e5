import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { afterEach, describe, expect, it } from 'vitest';
import { startTestGate, type TestGate } from '../support/gate.ts';
import { stopwatch } from '../support/stopwatch.ts';
import { completion, json, message, sse, startUpstream, type TestUpstream } from '../support/upstream.ts';

let gate: TestGate;
let upstream: TestUpstream;

afterEach(async () => {
  await gate.remove();
  await upstream.close();
});

const policy = (as: string): string => `
policy: tollgate/v1
name: test
default: allow
rules:
  - id: hide
    at: [input, post_tool_call, pre_model_call, post_model_call, output]
    detect: [pii.email]
    verdict: transform
    transform: [{ redact: pii.email, as: ${as} }]
`;

async function open(answer: Parameters<typeof startUpstream>[0], as = 'token'): Promise<void> {
  upstream = await startUpstream(answer);
  gate = await startTestGate({
    policy: policy(as),
    upstreams: {
      openai: { base_url: upstream.url, dialects: ['openai-chat'] },
      anthropic: { base_url: upstream.url, dialects: ['anthropic-messages'] },
    },
  });
}

const chat = (run = 'r') => new OpenAI({ baseURL: `${gate.url}/run/${run}/openai/v1`, apiKey: 'sk-own' });
const claude = (run = 'r') => new Anthropic({ baseURL: `${gate.url}/run/${run}/anthropic`, apiKey: 'own' });
const user = (content: string) => ({ role: 'user' as const, content });
const ask = (...messages: { role: 'user' | 'assistant'; content: string }[]) => ({ model: 'gpt-4o-mini', messages });

const sent = (i: number): string[] =>
  ((upstream.received[i]?.body?.['messages'] ?? []) as { content: string }[]).map((m) => m.content);

const ANNA = 'anna.berg@acme-mail.com';
const BELA = 'bela.kun@acme-mail.com';

describe('a value has one token in its run', () => {
  it('over turns, in both directions and both languages; another run begins anew', async () => {
    await open((request, response) =>
      request.url.includes('chat')
        ? json(response, 200, completion({ content: `ask ${BELA} or ${ANNA}` }))
        : json(response, 200, message([{ type: 'text', text: `so ${BELA}` }])),
    );
    const first = await chat().chat.completions.create(ask(user(`write to ${ANNA}`)));
    const said = first.choices[0]?.message.content ?? '';
    expect(said).toBe('ask <EMAIL_2> or <EMAIL_1>');
    await chat().chat.completions.create(
      ask(user(`write to ${ANNA}`), { role: 'assistant', content: said }, user(`and ${BELA}?`)),
    );
    expect(sent(0)).toEqual(['write to <EMAIL_1>']);
    expect(sent(1)).toEqual(['write to <EMAIL_1>', 'ask <EMAIL_2> or <EMAIL_1>', 'and <EMAIL_2>?']);
    const other = await claude().messages.create({
      model: 'claude-sonnet-4-5',
      max_tokens: 50,
      messages: [user(`again ${ANNA}`)],
    });
    expect(JSON.stringify(other.content)).toContain('so <EMAIL_2>');
    expect(sent(2)).toEqual(['again <EMAIL_1>']);
    await chat('fresh').chat.completions.create(ask(user(`write to ${BELA}`)));
    expect(sent(3)).toEqual(['write to <EMAIL_1>']);
    expect(JSON.stringify(await gate.calls())).not.toContain('acme-mail');
  });

  it('in a stream that splits it, and no look-alike is taken', async () => {
    const base = { id: 'c', object: 'chat.completion.chunk', created: 1, model: 'gpt-4o-mini' };
    const pieces = ['<EMAIL_1> is not yours; ', 'it is anna.be', 'rg@acme-ma', 'il.com, says ', ANNA, ' herself'];
    const events = [
      { ...base, choices: [{ index: 0, delta: { role: 'assistant', content: '' }, finish_reason: null }] },
      ...pieces.map((content) => ({ ...base, choices: [{ index: 0, delta: { content }, finish_reason: null }] })),
      { ...base, choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] },
      { ...base, choices: [], usage: { prompt_tokens: 9, completion_tokens: 5, total_tokens: 14 } },
    ];
    await open((_request, response) =>
      sse(response, [...events.map((e) => `data: ${JSON.stringify(e)}\n\n`), 'data: [DONE]\n\n']),
    );
    const final = await chat()
      .chat.completions.stream({ ...ask(user('who?')), stream: true })
      .finalChatCompletion();
    expect(final.choices[0]?.message.content).toBe('<EMAIL_1> is not yours; it is <EMAIL_2>, says <EMAIL_2> herself');
  });

  it('in thousands of messages of one conversation, in time that grows with their number', async () => {
    await open((_request, response) => json(response, 200, completion({ content: 'ok' })));
    const took = stopwatch();
    const messages = Array.from({ length: 4_000 }, (_, i) => user(`mail u${i}@acme-mail.com`));
    await chat().chat.completions.create(ask(...messages));
    expect(sent(0)).toEqual(messages.map((_, i) => `mail <EMAIL_${i + 1}>`));
    // one walk through the body for each message would take half a minute
    expect(took()).toBeLessThan(5_000);
  });

  it('in fifty calls at once', async () => {
    await open((_request, response) => json(response, 200, completion({ content: 'ok' })));
    await Promise.all(
      Array.from({ length: 50 }, (_, i) => chat().chat.completions.create(ask(user(`no ${i}: ${ANNA} and ${BELA}`)))),
    );
    const names = new Set(upstream.received.map((r) => r.text.match(/<EMAIL_\d+> and <EMAIL_\d+>/)?.[0]));
    expect([...names]).toEqual(['<EMAIL_1> and <EMAIL_2>']);
  });

  it.each([
    ['mask', /^write to \*{23}$/],
    ['drop', /^write to $/],
    ['hash', /^write to \[redacted:pii\.email:[0-9a-f]{12}\]$/],
  ])('as %s: as before, and the same in the next turn', async (as, text) => {
    await open((_request, response) => json(response, 200, completion({ content: 'ok' })), as);
    await chat().chat.completions.create(ask(user(`write to ${ANNA}`)));
    await chat().chat.completions.create(
      ask(user(`write to ${ANNA}`), { role: 'assistant', content: 'ok' }, user('done?')),
    );
    expect(sent(0)[0]).toMatch(text);
    expect(sent(1)[0]).toBe(sent(0)[0]);
  });
});
