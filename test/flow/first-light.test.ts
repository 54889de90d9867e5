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

const openai = (base = ''): OpenAI => new OpenAI({ baseURL: `${gate.url}${base}/openai/v1`, apiKey: 'sk-own' });
const anthropic = (base = ''): Anthropic =>
  new Anthropic({ baseURL: `${gate.url}${base}/anthropic`, apiKey: 'sk-ant-own' });

async function open(
  answer: Parameters<typeof startUpstream>[0],
  options: Partial<Parameters<typeof startTestGate>[0]> = {},
): Promise<void> {
  upstream = await startUpstream(answer);
  gate = await startTestGate({
    upstreams: {
      openai: { base_url: upstream.url, dialects: ['openai-chat'] },
      anthropic: { base_url: upstream.url, dialects: ['anthropic-messages'] },
    },
    ...options,
  });
}

const ASK = { model: 'gpt-4o-mini', messages: [{ role: 'user' as const, content: 'hello' }] };

describe('a call with only the base URL changed', () => {
  it('reaches the provider with the same bytes and the own key, and is priced and recorded', async () => {
    await open((_request, response) => json(response, 200, completion({ content: 'hi' })));
    const { data, response } = await openai('/run/r1/agent/helper').chat.completions.create(ASK).withResponse();
    expect(data.choices[0]?.message.content).toBe('hi');
    expect(upstream.received[0]?.url).toBe('/v1/chat/completions');
    expect(upstream.received[0]?.headers.authorization).toBe('Bearer sk-own');
    expect(JSON.parse(upstream.received[0]?.text ?? '')).toEqual(ASK);
    expect(response.headers.get('x-tollgate-run')).toBe('r1');
    expect(response.headers.get('x-tollgate-decision')).toBe('allow');
    const [call] = await gate.sealed(1);
    expect(call).toMatchObject({
      agent: 'helper',
      run: 'r1',
      step: 1,
      model: 'gpt-4o-mini',
      status: 200,
      ending: 'completed',
      usage: { input: 20, output: 10 },
      cost_status: 'exact',
    });
    // $0.15 and $0.60 per million
    expect(call?.cost_usd).toBe('0.000009');
    expect(call?.actions.map((a) => a.point)).toEqual([
      'agent_startup',
      'input',
      'pre_model_call',
      'post_model_call',
      'output',
    ]);
  });

  it('works for the other language, streamed', async () => {
    const events = [
      { type: 'message_start', message: { ...message([], { input_tokens: 12, output_tokens: 1 }), stop_reason: null } },
      { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
      { type: 'ping' },
      { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'grüß ' } },
      { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'dich' } },
      { type: 'content_block_stop', index: 0 },
      { type: 'message_delta', delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { output_tokens: 7 } },
      { type: 'message_stop' },
    ];
    await open((_request, response) =>
      sse(
        response,
        events.map((e) => `event: ${e.type}\ndata: ${JSON.stringify(e)}\n\n`),
      ),
    );
    const stream = anthropic().messages.stream({
      model: 'claude-sonnet-4-5',
      max_tokens: 100,
      messages: [{ role: 'user', content: 'hello' }],
    });
    expect(await stream.finalText()).toBe('grüß dich');
    const [call] = await gate.sealed(1);
    expect(call).toMatchObject({
      dialect: 'anthropic-messages',
      stream: true,
      ending: 'completed',
      usage: { input: 12, output: 7 },
      certainty: 'exact',
    });
    // 12 × $3 + 7 × $15 per million
    expect(call?.cost_usd).toBe('0.000141');
  });

  it('asks for usage in a stream and hides the extra chunk', async () => {
    const chunk = (delta: unknown, finish: string | null = null) => ({
      id: 'c',
      object: 'chat.completion.chunk',
      created: 1,
      model: 'gpt-4o-mini',
      choices: [{ index: 0, delta, finish_reason: finish }],
    });
    const usage = { ...chunk({}), choices: [], usage: { prompt_tokens: 9, completion_tokens: 2, total_tokens: 11 } };
    const chunks = [chunk({ role: 'assistant', content: '' }), chunk({ content: 'hi' }), chunk({}, 'stop'), usage];
    await open((_request, response) =>
      sse(response, [...chunks.map((c) => `data: ${JSON.stringify(c)}\n\n`), 'data: [DONE]\n\n']),
    );
    const stream = await openai().chat.completions.create({ ...ASK, stream: true });
    const seen = [];
    for await (const part of stream) seen.push(part);
    expect(seen).toHaveLength(3);
    expect(seen.every((part) => !('usage' in part) || part.usage === null)).toBe(true);
    expect(upstream.received[0]?.body?.['stream_options']).toEqual({ include_usage: true });
    const [call] = await gate.sealed(1);
    expect(call).toMatchObject({ usage: { input: 9, output: 2 }, certainty: 'exact' });
  });
});

describe('what is not governed is not carried', () => {
  it('refuses an undeclared route and an unknown upstream in the caller’s tongue', async () => {
    await open((_request, response) => json(response, 200, {}));
    await expect(openai().embeddings.create({ model: 'text-embedding-3-small', input: 'x' })).rejects.toMatchObject({
      status: 404,
      code: 'TG_UNKNOWN_ROUTE',
    });
    const other = await fetch(`${gate.url}/nowhere/v1/chat/completions`, { method: 'POST', body: '{}' });
    expect(other.status).toBe(404);
    expect(upstream.received).toEqual([]);
    expect((await gate.sealed(2)).map((c) => c.fault)).toEqual(['TG_UNKNOWN_ROUTE', 'TG_UNKNOWN_ROUTE']);
  });

  it('carries a declared route as it is, and records it', async () => {
    await open((_request, response) => json(response, 200, { object: 'list', data: [{ id: 'gpt-4o-mini' }] }), {
      upstreams: { openai: { base_url: 'http://127.0.0.1:1', dialects: ['openai-chat'], routes: ['models'] } },
    });
    await gate.remove();
    gate = await startTestGate({
      upstreams: { openai: { base_url: upstream.url, dialects: ['openai-chat'], routes: ['models'] } },
    });
    const models = await openai().models.list();
    expect(models.data[0]?.id).toBe('gpt-4o-mini');
    expect((await gate.sealed(1))[0]).toMatchObject({
      dialect: 'open-route',
      status: 200,
      ending: 'completed',
      cost_usd: '0',
    });
    const post = await fetch(`${gate.url}/openai/v1/models`, { method: 'POST', body: '{}' });
    expect(post.status).toBe(405);
  });
});
