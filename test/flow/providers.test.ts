import { readdirSync, readFileSync } from 'node:fs';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { cashierOf, configProblems } from '../../gateway/compose.ts';
import { loadConfig } from '../../gateway/config/load.ts';
import { readSources } from '../../gateway/main.ts';
import { startTestGate, type TestGate } from '../support/gate.ts';
import { json, type Received, sse, startUpstream, type TestUpstream } from '../support/upstream.ts';

const FOLDER = 'examples/providers';
const PROVIDERS = readdirSync(FOLDER).map((name) => name.replace(/\.yaml$/, ''));
const KEYS = Object.fromEntries(PROVIDERS.map((name) => [`${name.toUpperCase()}_API_KEY`, `${name}-secret`]));

/** One answer of a provider, and what has to be in the receipt of it. */
interface Answer {
  readonly model: string;
  readonly events: readonly unknown[];
  readonly usage: Readonly<Record<string, number>>;
  readonly cost_usd: string;
  /** the client sees the chunk with the usage even if it did not ask: it rides with content */
  readonly visible?: boolean;
}

const chunk = (model: string, delta: object, more: object = {}, choice: object = {}): object => ({
  id: 'c1',
  object: 'chat.completion.chunk',
  created: 1,
  model,
  choices: [{ index: 0, delta, finish_reason: null, ...choice }],
  ...more,
});
const STOP = { finish_reason: 'stop' };
const usageChunk = (model: string, usage: object, more: object = {}): object => ({
  id: 'c1',
  object: 'chat.completion.chunk',
  created: 1,
  model,
  choices: [],
  usage,
  ...more,
});

const plain = { prompt_tokens: 1000, completion_tokens: 200, total_tokens: 1200 };

/** Streams of our own making, each with the oddity its provider is known for (meter.md 1.1, 1.2, 1.4). */
const ANSWERS: Readonly<Record<string, Answer>> = {
  // usage in the last content chunk too, under a name of its own
  groq: {
    model: 'openai/gpt-oss-120b',
    events: [
      chunk('openai/gpt-oss-120b', { role: 'assistant', content: 'hi' }, { x_groq: { id: 'req_1' } }),
      chunk('openai/gpt-oss-120b', {}, { x_groq: { id: 'req_1', usage: plain } }, STOP),
    ],
    usage: { input: 1000, output: 200 },
    cost_usd: '0.00027',
    visible: true,
  },
  mistral: {
    model: 'mistral-small-latest',
    events: [
      chunk('mistral-small-latest', { role: 'assistant', content: 'hi' }),
      chunk('mistral-small-latest', { content: '' }, { usage: plain }, STOP),
    ],
    usage: { input: 1000, output: 200 },
    cost_usd: '',
    visible: true,
  },
  deepseek: {
    model: 'deepseek-chat',
    events: [
      chunk('deepseek-chat', { role: 'assistant', content: 'hi' }, { usage: null }),
      chunk(
        'deepseek-chat',
        { content: '' },
        { usage: { ...plain, prompt_cache_hit_tokens: 640, prompt_cache_miss_tokens: 360 } },
        STOP,
      ),
    ],
    usage: { input: 360, cache_read: 640, output: 200 },
    // 360 × $0.28 + 640 × $0.028 + 200 × $0.42, per million
    cost_usd: '0.00020272',
    visible: true,
  },
  // reasoning on top of the completion; the provider's own bill, in ticks of 1e-10 USD
  xai: {
    model: 'grok-4.6',
    events: [
      chunk('grok-4.6', { role: 'assistant', content: 'hi' }),
      chunk('grok-4.6', {}, {}, STOP),
      usageChunk('grok-4.6', {
        prompt_tokens: 1000,
        completion_tokens: 50,
        total_tokens: 1350,
        prompt_tokens_details: { cached_tokens: 400 },
        completion_tokens_details: { reasoning_tokens: 300 },
        cost_in_usd_ticks: 35_000_000,
      }),
    ],
    usage: { input: 600, cache_read: 400, output: 350 },
    cost_usd: '0.0035',
  },
  openrouter: {
    model: 'openai/gpt-4o-mini',
    events: [
      chunk('openai/gpt-4o-mini', { role: 'assistant', content: 'hi' }, { provider: 'OpenAI' }),
      chunk('openai/gpt-4o-mini', {}, {}, STOP),
      usageChunk('openai/gpt-4o-mini', { ...plain, cost: 0.000271, is_byok: false }),
    ],
    usage: { input: 1000, output: 200 },
    cost_usd: '0.000271',
  },
  together: {
    model: 'meta-llama/Llama-3.3-70B-Instruct-Turbo',
    events: [
      chunk('meta-llama/Llama-3.3-70B-Instruct-Turbo', { role: 'assistant', content: 'hi' }),
      chunk('meta-llama/Llama-3.3-70B-Instruct-Turbo', { content: '' }, { usage: plain }, STOP),
    ],
    usage: { input: 1000, output: 200 },
    cost_usd: '0.001056',
    visible: true,
  },
  fireworks: {
    model: 'accounts/fireworks/models/kimi-k2p5',
    events: [
      chunk('accounts/fireworks/models/kimi-k2p5', { role: 'assistant', content: 'hi' }),
      chunk('accounts/fireworks/models/kimi-k2p5', {}, {}, STOP),
      usageChunk('accounts/fireworks/models/kimi-k2p5', { ...plain, prompt_tokens_details: { cached_tokens: 500 } }),
    ],
    usage: { input: 500, cache_read: 500, output: 200 },
    cost_usd: '0.00095',
  },
  cerebras: {
    model: 'gpt-oss-120b',
    events: [
      chunk('gpt-oss-120b', { role: 'assistant', content: 'hi' }),
      chunk('gpt-oss-120b', {}, { usage: plain, time_info: { queue_time: 0.1 } }, STOP),
    ],
    usage: { input: 1000, output: 200 },
    cost_usd: '0.0005',
    visible: true,
  },
  ollama: {
    model: 'llama3.2:3b',
    events: [
      chunk('llama3.2:3b', { role: 'assistant', content: 'hi' }),
      chunk('llama3.2:3b', {}, {}, STOP),
      usageChunk('llama3.2:3b', plain),
    ],
    usage: { input: 1000, output: 200 },
    cost_usd: '0',
  },
  vllm: {
    model: 'Qwen/Qwen3-8B',
    events: [
      chunk('Qwen/Qwen3-8B', { role: 'assistant', content: 'hi' }),
      chunk('Qwen/Qwen3-8B', {}, { usage: null }, STOP),
      usageChunk('Qwen/Qwen3-8B', { ...plain, prompt_tokens_details: null }),
    ],
    usage: { input: 1000, output: 200 },
    cost_usd: '0',
  },
};

const asEvents = (events: readonly unknown[]): string[] => [
  ...events.map((event) => `data: ${JSON.stringify(event)}\n\n`),
  'data: [DONE]\n\n',
];

const nameIn = ({ headers }: Received): string =>
  `${headers['authorization']}`.replace(/^Bearer (.*?)(?:-secret)?$/, '$1');

/** What a strict server says to a member it does not know. */
function refused(request: Received): boolean {
  const body = request.body ?? {};
  return nameIn(request) === 'mistral' && ('stream_options' in body || 'max_completion_tokens' in body);
}

let upstream: TestUpstream;
let gate: TestGate;

beforeAll(async () => {
  upstream = await startUpstream((request, response) => {
    if (refused(request)) return json(response, 422, { object: 'error', message: 'Extra inputs are not permitted' });
    const { events, model } = ANSWERS[nameIn(request)] as Answer;
    if (request.body?.['stream'] === true) return sse(response, asEvents(events));
    const usage = (events.at(-1) as { usage?: object; x_groq?: { usage: object } }).usage ?? plain;
    const choices = [{ index: 0, message: { role: 'assistant', content: 'hi' }, finish_reason: 'stop' }];
    json(response, 200, { id: 'c1', object: 'chat.completion', created: 1, model, choices, usage });
  });
  const upstreams = PROVIDERS.map((name) => {
    const { upstreams: own } = loadConfig(
      `${FOLDER}/${name}.yaml`,
      readFileSync(`${FOLDER}/${name}.yaml`, 'utf8'),
      KEYS,
    );
    return [name, { ...own[name], base_url: `${upstream.url}/base` }] as const;
  });
  gate = await startTestGate({ upstreams: Object.fromEntries(upstreams) as never, policy: 'starter' });
});

afterAll(async () => {
  await gate.remove();
  await upstream.close();
});

const client = (name: string, run: string): OpenAI =>
  new OpenAI({ baseURL: `${gate.url}/run/${run}/${name}/v1`, apiKey: 'own', maxRetries: 0 });

async function receiptOf(run: string) {
  for (let i = 0; i < 300; i += 1) {
    const [call] = await gate.calls(`&run=${run}`);
    if (call) return call;
    await new Promise((r) => setTimeout(r, 10));
  }
  throw new Error(`no call of run ${run} was sealed`);
}

describe.each(PROVIDERS)('%s', (name) => {
  const answer = ANSWERS[name] as Answer;

  it('the example is a configuration that the gate would start with', () => {
    const file = `${FOLDER}/${name}.yaml`;
    const config = loadConfig(file, readFileSync(file, 'utf8'), KEYS);
    const sources = readSources(config, false);
    expect(configProblems(config, cashierOf(sources.prices))).toEqual([]);
    expect(Object.keys((parse(readFileSync(file, 'utf8')) as { upstreams: object }).upstreams)).toEqual([name]);
  });

  it('a stream is metered to the token and the cent, and the client sees what it asked for', async () => {
    const run = `stream-${name}`;
    const stream = await client(name, run).chat.completions.create({
      model: answer.model,
      stream: true,
      messages: [{ role: 'user', content: 'hi' }],
    });
    const seen = [];
    for await (const event of stream) seen.push(event);
    expect(seen.some(({ usage }) => usage)).toBe(
      answer.visible === true && !('x_groq' in (answer.events.at(-1) as object)),
    );
    expect(seen.every(({ choices }) => choices.length > 0)).toBe(true);
    const call = await receiptOf(run);
    expect(call).toMatchObject({ ending: 'completed', certainty: 'exact', cost_status: 'exact' });
    expect(call.usage).toEqual({ input: 0, output: 0, cache_read: 0, cache_write: 0, ...answer.usage });
    if (answer.cost_usd !== '') expect(call.cost_usd).toBe(answer.cost_usd);
    expect(upstream.received.at(-1)?.url).toBe('/base/v1/chat/completions');
  });

  it('a plain reply costs the same', async () => {
    const run = `whole-${name}`;
    await client(name, run).chat.completions.create({
      model: answer.model,
      messages: [{ role: 'user', content: 'hi' }],
    });
    expect((await receiptOf(run)).usage.output).toBe(answer.usage['output']);
  });
});

describe('habits of servers', () => {
  it('a server that refuses to be asked for usage is not asked, and a clamp is written where it is read', async () => {
    const tight = await startTestGate({
      upstreams: {
        mistral: {
          base_url: upstream.url,
          dialects: ['openai-chat'],
          usage_in_stream: 'always',
          output_cap: 'max_tokens',
          credential: { bearer: 'mistral-secret' },
        },
      } as never,
      config: { budgets: [{ scope: 'run', limit_usd: 0.01 }], limits: { min_useful_tokens: 100 } },
    });
    try {
      const openai = new OpenAI({ baseURL: `${tight.url}/mistral/v1`, apiKey: 'own', maxRetries: 0 });
      const messages = [{ role: 'user' as const, content: 'hi' }];
      await openai.chat.completions.create({ model: 'mistral-small-latest', messages });
      const body = upstream.received.at(-1)?.body as Record<string, unknown>;
      expect(body['max_tokens']).toBeGreaterThan(100);
      expect(body).not.toHaveProperty('max_completion_tokens');
      // the caller's own word for it stays
      await openai.chat.completions.create({ model: 'mistral-small-latest', messages, max_tokens: 7 });
      expect(upstream.received.at(-1)?.body).toMatchObject({ max_tokens: 7 });
    } finally {
      await tight.remove();
    }
  });

  it('a stream that never shows usage keeps its hold as the charge', async () => {
    const silent = await startUpstream((_request, response) =>
      sse(response, asEvents([chunk('gpt-4o-mini', { content: 'hi' }), chunk('gpt-4o-mini', {}, {}, STOP)])),
    );
    const local = await startTestGate({
      upstreams: {
        openai: { base_url: silent.url, dialects: ['openai-chat'], usage_in_stream: 'never' },
      } as never,
    });
    try {
      const openai = new OpenAI({ baseURL: `${local.url}/openai/v1`, apiKey: 'own', maxRetries: 0 });
      const stream = await openai.chat.completions.create({
        model: 'gpt-4o-mini',
        stream: true,
        max_completion_tokens: 1000,
        messages: [{ role: 'user', content: 'hi' }],
      });
      for await (const _ of stream);
      expect(silent.received[0]?.body).not.toHaveProperty('stream_options');
      const [call] = await local.sealed(1);
      expect(call).toMatchObject({ certainty: 'floor' });
      expect(Number(call?.cost_usd)).toBeGreaterThanOrEqual((1000 * 0.6) / 1e6);
    } finally {
      await local.remove();
      await silent.close();
    }
  });
});
