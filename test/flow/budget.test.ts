import OpenAI, { APIError } from 'openai';
import { afterEach, describe, expect, it } from 'vitest';
import { usdToNano } from '../../gateway/domain/money.ts';
import { startTestGate, type TestGate } from '../support/gate.ts';
import { completion, json, startUpstream, type TestUpstream } from '../support/upstream.ts';

let gate: TestGate;
let upstream: TestUpstream;

afterEach(async () => {
  await gate.remove();
  await upstream.close();
});

async function open(answer: Parameters<typeof startUpstream>[0], config: Record<string, unknown>): Promise<void> {
  upstream = await startUpstream(answer);
  gate = await startTestGate({ upstreams: { openai: { base_url: upstream.url, dialects: ['openai-chat'] } }, config });
}

const client = (run = 'r'): OpenAI =>
  new OpenAI({ baseURL: `${gate.url}/run/${run}/openai/v1`, apiKey: 'own', maxRetries: 2 });
const ask = (max: number) => ({
  model: 'gpt-4o',
  max_completion_tokens: max,
  messages: [{ role: 'user' as const, content: 'go' }],
});
const sum = (amounts: readonly string[]): bigint => amounts.reduce((total, usd) => total + usdToNano(usd), 0n);

describe('a cap that holds', () => {
  it('lets exactly as many of 200 parallel calls through as there is money for', async () => {
    // the answer costs what was quoted: gpt-4o is $2.50 in and $10 out per million
    const size = JSON.stringify(ask(100)).length;
    const quoted = (BigInt(size) + 1024n) * 2500n + 100n * 10_000n;
    const usage = { prompt_tokens: size + 1024, completion_tokens: 100, total_tokens: size + 1124 };
    await open(
      (_r, response) => {
        setTimeout(() => json(response, 200, completion({ content: 'done' }, usage, 'gpt-4o')), 20);
      },
      { budgets: [{ scope: 'run', limit_usd: `${(Number(quoted * 10n) / 1e9).toFixed(9)}` }] },
    );
    const openai = client();
    const results = await Promise.allSettled(
      Array.from({ length: 200 }, () => openai.chat.completions.create(ask(100))),
    );
    const served = results.filter((r) => r.status === 'fulfilled');
    const refused = results.flatMap((r) => (r.status === 'rejected' ? [r.reason as APIError] : []));
    expect(served).toHaveLength(10);
    expect(refused).toHaveLength(190);
    for (const error of refused) {
      expect(error).toBeInstanceOf(APIError);
      expect(error.status).toBe(402);
      expect(error.code).toBe('TG_BUDGET_EXCEEDED');
    }
    // no client tried again: 200 asked, 200 recorded, 10 carried
    const calls = await gate.sealed(200);
    expect(calls).toHaveLength(200);
    expect(upstream.received).toHaveLength(10);
    expect(sum(calls.map((c) => c.cost_usd))).toBe(quoted * 10n);
  });

  it('clamps the output to what is left, then denies', async () => {
    const usage = { prompt_tokens: 100, completion_tokens: 50, total_tokens: 150 };
    await open((_r, response) => json(response, 200, completion({ content: 'ok' }, usage, 'gpt-4o')), {
      budgets: [{ scope: 'run', limit_usd: 0.03 }],
    });
    const { response } = await client().chat.completions.create(ask(16_000)).withResponse();
    const sent = upstream.received[0]?.body?.['max_completion_tokens'] as number;
    expect(sent).toBeGreaterThanOrEqual(1024);
    expect(sent).toBeLessThan(3000);
    expect(response.headers.get('x-tollgate-clamped')).toBe(String(sent));
    // exact usage gave the rest back: 100 × $2.50 + 50 × $10 per million
    expect((await gate.sealed(1))[0]?.cost_usd).toBe('0.00075');
  });

  it('keeps runs, agents and windows apart', async () => {
    await open((_r, response) => json(response, 200, completion({ content: 'ok' }, undefined, 'gpt-4o')), {
      budgets: [
        { scope: 'run', limit_usd: 0.004 },
        { scope: 'tenant', window: 'day', limit_usd: 1 },
      ],
    });
    await client('a').chat.completions.create(ask(50));
    await expect(client('a').chat.completions.create(ask(4000))).rejects.toMatchObject({ status: 402 });
    await client('b').chat.completions.create(ask(50));
    const calls = await gate.sealed(3);
    expect(calls.map((c) => c.ending)).toEqual(['completed', 'denied', 'completed']);
    expect(calls[1]?.actions).toContainEqual(
      expect.objectContaining({ decision: 'deny', rule: 'budget/run', reason: 'budget_exceeded' }),
    );
  });

  it('makes room for an edit that makes the request longer', async () => {
    upstream = await startUpstream((_r, response) => json(response, 200, completion({ content: 'ok' })));
    gate = await startTestGate({
      policy: 'starter',
      upstreams: { openai: { base_url: upstream.url, dialects: ['openai-chat'] } },
      config: { budgets: [{ scope: 'run', limit_usd: 5 }] },
    });
    // the token that takes its place is longer than the key
    const secret = ['AKIA', 'Q3EGRTWB7XPLMN5Z'].join('');
    const messages = [{ role: 'user' as const, content: `use ${secret}` }];
    await client().chat.completions.create({ ...ask(50), messages });
    expect(upstream.received[0]?.text).not.toContain(secret);
    expect((await gate.sealed(1))[0]?.ending).toBe('completed');
  });

  it('charges nothing for what the upstream refused, and passes its words on', async () => {
    const words = {
      error: { message: 'Rate limit reached for gpt-4o', type: 'tokens', param: null, code: 'rate_limit_exceeded' },
    };
    await open((_r, response) => json(response, 429, words), { budgets: [{ scope: 'run', limit_usd: 1 }] });
    const raw = await fetch(`${gate.url}/run/r/openai/v1/chat/completions`, {
      method: 'POST',
      body: JSON.stringify(ask(10)),
    });
    expect(raw.status).toBe(429);
    expect(await raw.text()).toBe(JSON.stringify(words));
    expect((await gate.sealed(1))[0]).toMatchObject({ status: 429, ending: 'upstream_error', cost_usd: '0' });
  });

  it('keeps the whole hold where usage is not known', async () => {
    await open((_r, response) => void response.destroy(), { budgets: [{ scope: 'run', limit_usd: 1 }] });
    await expect(client().chat.completions.create(ask(100), { maxRetries: 0 })).rejects.toMatchObject({ status: 502 });
    const [call] = await gate.sealed(1);
    expect(call?.ending).toBe('upstream_broke');
    expect(Number(call?.cost_usd)).toBeGreaterThan(0.001);
  });

  it('frees the hold where the upstream was never reached', async () => {
    upstream = await startUpstream(() => undefined);
    gate = await startTestGate({
      upstreams: { openai: { base_url: 'http://127.0.0.1:1', dialects: ['openai-chat'] } },
      config: { budgets: [{ scope: 'run', limit_usd: 1 }] },
    });
    await expect(client().chat.completions.create(ask(100), { maxRetries: 0 })).rejects.toMatchObject({ status: 502 });
    expect((await gate.sealed(1))[0]).toMatchObject({
      ending: 'upstream_error',
      cost_usd: '0',
      fault: 'TG_UPSTREAM_UNREACHABLE',
    });
  });
});
