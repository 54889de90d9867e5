import OpenAI from 'openai';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startTestGate, type TestGate } from '../support/gate.ts';
import { type Mood, startPresidio, type TestPresidio } from '../support/presidio.ts';
import { stopwatch } from '../support/stopwatch.ts';
import { completion, json, sse, startUpstream, type TestUpstream } from '../support/upstream.ts';

let gate: TestGate | undefined;
let upstream: TestUpstream;
let presidio: TestPresidio;

beforeEach(async () => {
  gate = undefined;
  presidio = await startPresidio();
});

afterEach(async () => {
  await gate?.remove();
  await upstream.close();
  await presidio.close();
});

const POLICY = `
policy: tollgate/v1
name: test
default: allow
rules:
  - { id: no-mail, at: [post_model_call], detect: pii.email, verdict: transform, transform: [{ redact: pii.email }] }
  - id: no-people
    at: [input, post_tool_call, pre_model_call, output]
    models: "gpt-4o*"
    detect: pres.person
    verdict: transform
    transform: [{ redact: pres.person, as: token }]
  - { id: nobody-is-mailed, at: pre_tool_call, tools: send_email, detect: pres, verdict: deny, reason: person_in_mail }
`;

type Answer = Parameters<typeof startUpstream>[0];

async function open(answer: Answer, change: object = {}): Promise<void> {
  upstream = await startUpstream(answer);
  const remote = {
    pres: { url: presidio.url, shape: 'presidio', timeout_ms: 1_500, breaker: { failures: 2, open_s: 30 }, ...change },
  };
  gate = await startTestGate({
    policy: POLICY,
    upstreams: { openai: { base_url: upstream.url, dialects: ['openai-chat'] } },
    config: { detectors: { remote } },
  });
}

const client = () => new OpenAI({ baseURL: `${gate?.url}/run/r/openai/v1`, apiKey: 'sk-own', maxRetries: 0 });
const user = (content: string) => ({ role: 'user' as const, content });
const say = (content: string, model = 'gpt-4o-mini') =>
  client().chat.completions.create({ model, messages: [user(content)] });
const counted = async (line: string): Promise<number> => {
  const text = await (await fetch(`${gate?.office}/metrics`)).text();
  return Number(
    text
      .split('\n')
      .find((l) => l.startsWith(`${line} `))
      ?.split(' ')[1] ?? 0,
  );
};
const sent = (): string => JSON.stringify(upstream.received.at(-1)?.body?.['messages']);

describe('a detector of somebody else', () => {
  it('is asked where a rule names it: in both directions, also after other rules changed the text, each text once', async () => {
    await open((_request, response) =>
      json(response, 200, completion({ content: 'ask 🙂 Anna at a.b@acme-mail.com' })),
    );
    const first = await say('I am 🙂 Anna');
    expect(sent()).toContain('I am 🙂 <PERSON_1>');
    expect(first.choices[0]?.message.content).toBe('ask 🙂 <PERSON_1> at <EMAIL_1>');
    expect(new Set(presidio.asked)).toEqual(
      new Set(['I am 🙂 Anna', 'I am 🙂 <PERSON_1>', 'ask 🙂 Anna at <EMAIL_1>']),
    );
    const before = presidio.asked.length;
    await say('I am 🙂 Anna');
    expect(presidio.asked).toHaveLength(before);
    expect(await counted('tollgate_remote_detector_questions_total{detector="pres",result="answered"}')).toBe(before);
  });

  it('costs a call nothing where no rule about it names it', async () => {
    await open((_request, response) => json(response, 200, completion({ content: 'hello Anna' })));
    expect((await say('Anna', 'gpt-3.5-turbo')).choices[0]?.message.content).toBe('hello Anna');
    expect(presidio.asked).toEqual([]);
  });

  it.each<[string, Mood]>([
    ['is slow', () => {}],
    ['is dead', (_, r) => r.destroy()],
    ['is broken', (_, r) => r.writeHead(500).end()],
    ['talks garbage', (_, r) => r.end('<html>')],
    ['floods', (_, r) => r.end(Buffer.alloc(3_000_000, 32))],
    ['finds what is not there', (_, r) => json(r, 200, [{ entity_type: 'PERSON', start: 0, end: 999, score: 1 }])],
  ])('that %s counts as having found: the call is denied, nothing is carried', async (_, how) => {
    await open((_request, response) => json(response, 200, completion({ content: 'ok' })));
    presidio.mood = how;
    const took = stopwatch();
    await expect(say('hello')).rejects.toMatchObject({
      status: 403,
      message: expect.stringMatching(/test\/no-people.*detector_failed.*a detector failed/),
    });
    expect(took()).toBeLessThan(3_000);
    expect(upstream.received).toEqual([]);
    // rules about local detectors are not touched by it
    expect((await say('mail a.b@acme-mail.com', 'gpt-3.5-turbo')).choices[0]?.message.content).toBe('ok');
  });

  it('that keeps failing is left alone for a while, and calls are denied at once', async () => {
    await open((_request, response) => json(response, 200, completion({ content: 'ok' })));
    presidio.mood = () => {};
    for (const text of ['a', 'b']) await expect(say(text)).rejects.toMatchObject({ status: 403 });
    expect(await counted('tollgate_remote_detector_open{detector="pres"}')).toBe(1);
    const questions = presidio.asked.length;
    const took = stopwatch();
    await expect(say('c')).rejects.toMatchObject({ status: 403 });
    expect(took()).toBeLessThan(250);
    expect(presidio.asked).toHaveLength(questions);
  });

  it('in a stream: the text is held whole, a proposed call until it was asked about', async () => {
    const base = { id: 'c', object: 'chat.completion.chunk', created: 1, model: 'gpt-4o-mini' };
    const stream =
      (deltas: object[], finish: string): Answer =>
      (_request, response) =>
        sse(response, [
          ...deltas.map(
            (delta) => `data: ${JSON.stringify({ ...base, choices: [{ index: 0, delta, finish_reason: null }] })}\n\n`,
          ),
          `data: ${JSON.stringify({ ...base, choices: [{ index: 0, delta: {}, finish_reason: finish }] })}\n\n`,
          `data: ${JSON.stringify({ ...base, choices: [], usage: { prompt_tokens: 9, completion_tokens: 5, total_tokens: 14 } })}\n\n`,
          'data: [DONE]\n\n',
        ]);
    let now: Answer = stream(
      [{ role: 'assistant', content: 'it is An' }, { content: 'na, not ' }, { content: 'Bela' }],
      'stop',
    );
    await open((request, response) => now(request, response));
    const ask = async () =>
      (
        await client()
          .chat.completions.stream({ model: 'gpt-4o-mini', messages: [user('who?')], stream: true })
          .finalChatCompletion()
      ).choices[0]?.message;
    expect((await ask())?.content).toBe('it is <PERSON_1>, not Bela');
    const call = (text: string) =>
      stream(
        [
          {
            role: 'assistant',
            tool_calls: [
              { index: 0, id: 'm', type: 'function', function: { name: 'send_email', arguments: '{"text":' } },
            ],
          },
          { tool_calls: [{ index: 0, function: { arguments: `"${text}"}` } }] },
        ],
        'tool_calls',
      );
    now = call('dear Anna');
    expect((await ask())?.content).toContain('person_in_mail');
    now = call('dear all');
    expect((await ask())?.tool_calls).toHaveLength(1);
    presidio.mood = (_, r) => r.destroy();
    now = call('dear others');
    expect((await ask())?.content).toContain('person_in_mail');
    now = stream([{ role: 'assistant', content: 'a new text' }], 'stop');
    await expect(ask()).rejects.toThrow(/no-people/);
  });
});
