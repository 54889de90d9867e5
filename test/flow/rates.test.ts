import Anthropic from '@anthropic-ai/sdk';
import OpenAI, { RateLimitError } from 'openai';
import { afterEach, describe, expect, it } from 'vitest';
import { startTestGate, type TestGate } from '../support/gate.ts';
import { completion, json, startUpstream, type TestUpstream } from '../support/upstream.ts';

let gate: TestGate;
let upstream: TestUpstream;

afterEach(async () => {
  await gate.remove();
  await upstream.close();
});

const usage = { prompt_tokens: 20, completion_tokens: 10, total_tokens: 30 };

/** The provider answers once `before` is over. */
async function open(budgets: readonly object[], before: () => Promise<void> = async () => undefined): Promise<void> {
  upstream = await startUpstream(async (request, response) => {
    const { model } = request.body as { model: string };
    await before();
    json(response, 200, completion({ content: 'done' }, usage, model));
  });
  gate = await startTestGate({
    upstreams: {
      openai: { base_url: upstream.url, dialects: ['openai-chat'] },
      anthropic: { base_url: upstream.url, dialects: ['anthropic-messages'] },
    },
    config: { budgets },
  });
}

const client = (headers: Record<string, string> = {}): OpenAI =>
  new OpenAI({ baseURL: `${gate.url}/openai/v1`, apiKey: 'own', maxRetries: 0, defaultHeaders: headers });
const ask = (openai: OpenAI, model = 'gpt-4o-mini') =>
  openai.chat.completions.create({ model, max_completion_tokens: 50, messages: [{ role: 'user', content: 'go' }] });

describe('rates', () => {
  it('lets so many requests of an agent through in a minute, and says when to come back', async () => {
    await open([{ scope: 'agent', window: 'minute', limit_requests: 3 }]);
    const bot = client({ 'x-tollgate-agent': 'bot' });
    const results = await Promise.allSettled(Array.from({ length: 10 }, () => ask(bot)));
    expect(results.filter((r) => r.status === 'fulfilled')).toHaveLength(3);
    const refused = results.find((r) => r.status === 'rejected')?.reason as RateLimitError;
    expect(refused).toBeInstanceOf(RateLimitError);
    expect(refused.code).toBe('TG_RATE_LIMITED');
    expect(refused.message).toMatch(/the agent may use 3 requests per minute and has 0 left; wait [0-9]+ s/);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(50);
    await ask(client({ 'x-tollgate-agent': 'other' }));
    expect(upstream.received).toHaveLength(4);
    const calls = await gate.sealed(11);
    const denied = calls.filter((c) => c.status === 429);
    expect(denied).toHaveLength(7);
    expect(denied[0]?.actions).toMatchObject([{ decision: 'deny', rule: 'rate/agent', reason: 'rate_limited' }]);
  });

  it('counts tokens at their most while a call runs, and at what they were after it', async () => {
    let answers = Promise.resolve();
    await open([{ scope: 'tenant', window: 'minute', limit_tokens: 3_000 }], () => answers);
    const openai = client();
    // each call could come to more than 1,100 tokens and comes to 30
    for (let i = 0; i < 12; i += 1) await ask(openai);
    // nobody is answered before three were refused, so that those that run are running together
    const together = Promise.withResolvers<void>();
    answers = together.promise;
    let refused = 0;
    const calls = Array.from({ length: 5 }, () => ask(openai));
    for (const call of calls)
      call.catch(() => {
        refused += 1;
        if (refused === 3) together.resolve();
      });
    const parallel = await Promise.allSettled(calls);
    expect(parallel.filter((r) => r.status === 'fulfilled')).toHaveLength(2);
  });

  it('gives back the request of a call that nobody carried', async () => {
    await open([
      { scope: 'tenant', window: 'minute', limit_requests: 1 },
      { scope: 'run', limit_usd: 0.000001 },
    ]);
    await expect(ask(client())).rejects.toMatchObject({ status: 402 });
    await expect(ask(client())).rejects.toMatchObject({ status: 402 });
  });

  it('speaks the language of the caller, who asks again by himself where that is soon', async () => {
    await open([{ scope: 'tenant', window: 'hour', limit_requests: 1 }]);
    await ask(client());
    const anthropic = new Anthropic({ baseURL: `${gate.url}/anthropic`, apiKey: 'own', maxRetries: 2 });
    const said = await anthropic.messages
      .create({ model: 'claude-sonnet-4-5', max_tokens: 50, messages: [{ role: 'user', content: 'go' }] })
      .catch((error: unknown) => error);
    expect(said).toMatchObject({ status: 429, error: { error: { type: 'rate_limit_error' } } });
    // an hour is too long to wait: the client was told not to try
    expect(await gate.sealed(2)).toHaveLength(2);
  });
});

describe('budgets of models and tags', () => {
  it('are separate for each of their members', async () => {
    await open([{ scope: 'model', match: 'gpt-4o', limit_usd: 0.000001 }]);
    await expect(ask(client(), 'gpt-4o')).rejects.toMatchObject({ status: 402 });
    await ask(client(), 'gpt-4o-mini');
  });

  it('hold for every tag a call names', async () => {
    await open([{ scope: 'tag', match: 'team=red', window: 'day', limit_usd: 0.000001 }]);
    await expect(ask(client({ 'x-tollgate-tags': 'feature=search, team=red' }))).rejects.toThrow(/the tag budget/);
    await ask(client({ 'x-tollgate-tags': 'team=blue' }));
    await expect(ask(client({ 'x-tollgate-tags': 'a,b,c,d,e,f,g,h,i' }))).rejects.toMatchObject({ status: 400 });
    expect(upstream.received[0]?.headers).not.toHaveProperty('x-tollgate-tags');
  });
});

describe('a budget that runs out', () => {
  it('is told before the wall: in headers, in the record and in metrics', async () => {
    // gpt-4o-mini: 20 × $0.15/M + 10 × $0.60/M = $0.000009 a call
    await open([{ scope: 'tenant', limit_usd: 0.001 }]);
    const openai = client();
    const heads: string[] = [];
    for (let i = 0; i < 80; i += 1) {
      const { response } = await ask(openai).withResponse();
      heads.push(response.headers.get('x-tollgate-budget-left') ?? '');
    }
    expect(heads[0]).toMatch(/^0\.000[0-9]+; scope=tenant; window=total; used=[0-9]+$/);
    const used = heads.map((head) => Number(/used=([0-9]+)/.exec(head)?.[1]));
    expect(used.at(-1)).toBeGreaterThan(used[0] as number);
    const metrics = await (await fetch(`${gate.office}/metrics`)).text();
    expect(metrics).toMatch(/tollgate_budget_threshold_total\{scope="tenant",threshold="50"\} 1\n/);
    expect(metrics).not.toContain('threshold="95"');
  });
});
