import { AzureOpenAI } from 'openai';
import { afterEach, describe, expect, it } from 'vitest';
import { azureOpenai } from '../../../gateway/dialects/azure-openai.ts';
import type { Json } from '../../../gateway/domain/json.ts';
import { parseStrict } from '../../../gateway/domain/json-text.ts';
import { summarize } from '../../../gateway/domain/usage.ts';
import type { Reading } from '../../../gateway/ports/dialect.ts';
import { startTestGate, type TestGate } from '../../support/gate.ts';
import { completion, json, sse, startUpstream, type TestUpstream } from '../../support/upstream.ts';

const BODY = { messages: [{ role: 'user', content: 'hi' }] };
const DEPLOYED = '/openai/deployments/my-gpt/chat/completions';

function read(path: string, extra: Record<string, Json> = {}): Reading {
  const text = JSON.stringify({ ...BODY, ...extra });
  return azureOpenai.read(parseStrict(text), text.length, {}, path);
}

describe('paths', () => {
  it.each([
    [DEPLOYED, true, DEPLOYED],
    ['/deployments/my-gpt/chat/completions', true, DEPLOYED],
    ['/openai/v1/chat/completions', true, '/openai/v1/chat/completions'],
    ['/v1/chat/completions', true, '/openai/v1/chat/completions'],
    ['/openai/v1/v1/chat/completions', true, '/openai/v1/chat/completions'],
    ['/openai/deployments/a/b/chat/completions', false, ''],
    ['/openai/deployments/a/embeddings', false, ''],
    ['/chat/completions', false, ''],
  ])('%s', (path, claimed, asked) => {
    expect(azureOpenai.claims('POST', path)).toBe(claimed);
    expect(azureOpenai.claims('GET', path)).toBe(false);
    if (claimed) expect(azureOpenai.upstreamPath(path)).toBe(asked);
  });
});

describe('the model', () => {
  it('is the deployment, whatever the body says', () => {
    for (const extra of [{}, { model: 'gpt-4o' }] as Record<string, Json>[]) {
      const reading = read(`${DEPLOYED}?api-version=2024-10-21`, extra);
      expect(reading.model).toBe('my-gpt');
      expect(reading.bound.model).toBe('my-gpt');
      expect(reading.doc.value).toEqual({ ...BODY, ...extra });
    }
    expect(read('/openai/deployments/gpt%204/chat/completions').model).toBe('gpt 4');
    expect(() => read('/openai/deployments/%E0%A4%A/chat/completions')).toThrow(/percent-encoding/);
  });

  it('is the body’s on the v1 path, and has to be there', () => {
    expect(read('/openai/v1/chat/completions', { model: 'gpt-4o' }).model).toBe('gpt-4o');
    expect(() => read('/openai/v1/chat/completions')).toThrow(expect.objectContaining({ code: 'TG_BAD_REQUEST' }));
  });
});

it.each([
  ['2024-10-21', 1],
  ['2024-09-01-preview', 1],
  ['2024-06-01', 0],
  ['2023-05-15', 0],
  ['preview', 1],
])('usage is asked for only where the version knows how: %s', (version, count) => {
  expect(read(`${DEPLOYED}?api-version=${version}`, { stream: true }).preparation).toHaveLength(count);
});

it('documents of one’s own have no bound', () => {
  expect(read(DEPLOYED, { data_sources: [{ type: 'azure_search' }] }).bound.opaque).toEqual(['stored_context']);
});

describe('a stream as Azure sends it', () => {
  const event = (body: Json): string => `data: ${JSON.stringify(body)}\n\n`;
  const filters = event({
    choices: [],
    created: 0,
    id: '',
    model: '',
    object: '',
    prompt_filter_results: [{ prompt_index: 0 }],
  });
  const STREAM = [
    filters,
    event({
      choices: [{ index: 0, delta: { role: 'assistant', content: '' }, content_filter_results: {} }],
      model: 'gpt-4o-2024-08-06',
    }),
    event({
      choices: [{ index: 0, delta: { content: 'hello' }, content_filter_results: {} }],
      model: 'gpt-4o-2024-08-06',
    }),
    event({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }], model: 'gpt-4o-2024-08-06' }),
    event({
      choices: [],
      model: 'gpt-4o-2024-08-06',
      usage: { prompt_tokens: 8, completion_tokens: 3, total_tokens: 11 },
    }),
    'data: [DONE]\n\n',
  ];

  it('the first chunk is no usage chunk; the usage nobody asked for is hidden', () => {
    const reader = azureOpenai.openStream(read(DEPLOYED, { stream: true }));
    const frames = STREAM.flatMap((one) => reader.push(new TextEncoder().encode(one)));
    expect(frames.map(({ hidden }) => hidden)).toEqual([false, false, false, false, true, false]);
    expect(reader.servedModel()).toBe('gpt-4o-2024-08-06');
    expect(reader.usage().certainty).toBe('exact');
    expect(summarize(reader.usage())).toMatchObject({ input: 8, output: 3 });
  });
});

describe('with the official client', () => {
  let gate: TestGate;
  let upstream: TestUpstream;
  afterEach(async () => {
    await gate.remove();
    await upstream.close();
  });

  const client = (): AzureOpenAI =>
    new AzureOpenAI({
      endpoint: `${gate.url}/azure`,
      apiKey: 'azure-own',
      apiVersion: '2024-10-21',
      deployment: 'my-gpt',
    });

  async function open(answer: Parameters<typeof startUpstream>[0], credential?: unknown): Promise<void> {
    upstream = await startUpstream(answer);
    gate = await startTestGate({
      upstreams: {
        azure: { base_url: upstream.url, dialects: ['azure-openai'], ...(credential !== undefined && { credential }) },
      },
    });
  }

  it('a call is priced by the model that the reply names', async () => {
    await open((_request, response) =>
      json(response, 200, completion({ content: 'hi' }, undefined, 'gpt-4o-mini-2024-07-18')),
    );
    const answer = await client().chat.completions.create({
      model: 'my-gpt',
      messages: [{ role: 'user', content: 'hi' }],
    });
    expect(answer.choices[0]?.message.content).toBe('hi');
    expect(upstream.received[0]?.url).toBe(`${DEPLOYED}?api-version=2024-10-21`);
    expect(upstream.received[0]?.headers['api-key']).toBe('azure-own');
    const [sealed] = await gate.sealed(1);
    expect(sealed).toMatchObject({
      dialect: 'azure-openai',
      ending: 'completed',
      cost_usd: '0.000009',
      cost_status: 'exact',
    });
  });

  it('a stream reaches it whole, without the usage it did not ask for; the gate’s key replaces its own', async () => {
    const event = (body: Json): string => `data: ${JSON.stringify(body)}\n\n`;
    await open(
      (_request, response) =>
        sse(response, [
          event({ choices: [], model: '', prompt_filter_results: [] }),
          event({ choices: [{ index: 0, delta: { content: 'hello' } }], model: 'gpt-4o-mini' }),
          event({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }], model: 'gpt-4o-mini' }),
          event({
            choices: [],
            model: 'gpt-4o-mini',
            usage: { prompt_tokens: 20, completion_tokens: 10, total_tokens: 30 },
          }),
          'data: [DONE]\n\n',
        ]),
      { header: 'api-key', value: 'azure-gate' },
    );
    const stream = await client().chat.completions.create({
      model: 'my-gpt',
      stream: true,
      messages: [{ role: 'user', content: 'hi' }],
    });
    const chunks = [];
    for await (const one of stream) chunks.push(one);
    expect(chunks).toHaveLength(3);
    expect(chunks.every((one) => one.usage === undefined)).toBe(true);
    expect(upstream.received[0]?.headers['api-key']).toBe('azure-gate');
    expect(upstream.received[0]?.body).toMatchObject({ stream_options: { include_usage: true } });
    expect((await gate.sealed(1))[0]).toMatchObject({ certainty: 'exact', usage: { input: 20, output: 10 } });
  });
});
