import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TestGate } from '../support/gate.ts';
import { gatesForSuite } from '../support/redis-suite.ts';
import { account, openShared, until } from '../support/shared-store.ts';
import { completion, json, startUpstream, type TestUpstream } from '../support/upstream.ts';

const TENANT = account('tenant:local:total:0', 0n);
const USAGE = { prompt_tokens: 20, completion_tokens: 10, total_tokens: 30 };

let upstream: TestUpstream;
// the gates, which ask it, end before it
afterEach(() => upstream.close());
const suite = gatesForSuite();

beforeEach(async () => {
  upstream = await startUpstream((_r, response) => json(response, 200, completion({ content: 'ok' }, USAGE, 'gpt-4o')));
});

function open(budgets: readonly object[]): Promise<TestGate> {
  return suite.open({
    upstreams: { openai: { base_url: upstream.url, dialects: ['openai-chat'], credential: { bearer: 'own' } } },
    config: { store: { redis: suite.redis.url, timeout_ms: 2_000 }, budgets },
  });
}

const ask = (gate: TestGate, max = 50): Promise<Response> =>
  fetch(`${gate.url}/run/r/openai/v1/chat/completions`, {
    method: 'POST',
    body: JSON.stringify({
      model: 'gpt-4o',
      max_completion_tokens: max,
      messages: [{ role: 'user', content: 'go' }],
    }),
  });

/** What clients ask of a tenant's holds, accounts and rates while `work` runs; what scripts do in there is not asked by anybody. */
async function questions(work: () => Promise<unknown>): Promise<readonly string[]> {
  const eye = new Redis(suite.redis.url);
  const watch = await eye.monitor();
  const asked: string[] = [];
  let over = false;
  watch.on('monitor', (_time: string, args: string[], source: string) => {
    over ||= args[0] === 'echo';
    if (source !== 'lua' && args.some((arg) => /^tollgate:\{t\.[^}]*\}:(?!r:)/.test(arg))) asked.push(args.join(' '));
  });
  await work();
  // a monitor hears what was asked before it, in order
  await eye.echo('over');
  await until(() => over, 'the monitor heard everything');
  watch.disconnect();
  eye.disconnect();
  return asked;
}

const LIMITS = [
  { scope: 'tenant', limit_usd: 1 },
  { scope: 'run', limit_usd: 1 },
  { scope: 'agent', window: 'day', limit_usd: 1 },
  { scope: 'tenant', window: 'minute', limit_requests: 100 },
  { scope: 'model', window: 'day', limit_requests: 100 },
  { scope: 'tenant', window: 'hour', limit_tokens: 1_000_000 },
  { scope: 'agent', window: 'month', limit_tokens: 1_000_000 },
];

describe('a call with budgets and rates', () => {
  it('asks a shared ledger twice: to reserve and to settle', async () => {
    const gate = await open(LIMITS);
    expect((await ask(gate)).status).toBe(200);
    await gate.sealed(1);
    const asked = await questions(async () => {
      expect((await ask(gate)).status).toBe(200);
      await gate.sealed(2);
    });
    expect(asked.map((line) => line.split(' ')[0]?.toLowerCase())).toEqual(['evalsha', 'evalsha']);
    const [reserve, settle] = asked as [string, string];
    const kept = ['a:tenant:local:', 'a:run:local/', 'rate:tenant:local:', 'rate:model:local/', 'rate:agent:local/'];
    for (const key of kept) expect(reserve).toContain(key);
    expect(settle).toContain(':h:');
    // four rates were taken of and corrected by exactly these two
    const eye = new Redis(suite.redis.url);
    const tokens = await eye.hvals('tollgate:{t.local}:rate:tenant:local:hour:tokens');
    expect(tokens.map(Number).reduce((sum, n) => sum + n, 0)).toBe(60);
    eye.disconnect();
  });

  it('asks it once where it is refused, by a rate or by a budget', async () => {
    const rated = await open([
      { scope: 'tenant', limit_usd: 1 },
      { scope: 'tenant', window: 'hour', limit_requests: 1 },
    ]);
    expect((await ask(rated)).status).toBe(200);
    // its settlement is asked after its answer
    await rated.sealed(1);
    const refusals = await questions(async () => {
      const reply = await ask(rated);
      expect(reply.status).toBe(429);
      expect(Number(reply.headers.get('retry-after'))).toBeGreaterThan(3_000);
      await rated.sealed(2);
    });
    expect(refusals).toHaveLength(1);
    const poor = await open([
      { scope: 'run', limit_usd: 0.000001 },
      { scope: 'agent', window: 'hour', limit_requests: 1 },
    ]);
    const broke = await questions(async () => {
      expect((await ask(poor)).status).toBe(402);
      expect((await ask(poor)).status).toBe(402);
      await poor.sealed(2);
    });
    expect(broke).toHaveLength(2);
  });
});

describe('two gates and one redis', () => {
  it('let exactly as many of 100 parallel calls through as the rate allows, and count what they came to', async () => {
    const budgets = [
      { scope: 'tenant', limit_usd: 1 },
      { scope: 'tenant', window: 'hour', limit_requests: 12 },
      { scope: 'tenant', window: 'hour', limit_tokens: 1_000_000 },
    ];
    const two = [await open(budgets), await open(budgets)] as const;
    const replies = await Promise.all(Array.from({ length: 100 }, (_, n) => ask(two[n % 2] as TestGate)));
    const statuses = replies.map(({ status }) => status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(12);
    expect(statuses.filter((status) => status === 429)).toHaveLength(88);
    await Promise.all(two.map((gate) => gate.sealed(50)));
    const eye = new Redis(suite.redis.url);
    const sum = async (unit: string): Promise<number> =>
      (await eye.hvals(`tollgate:{t.local}:rate:tenant:local:hour:${unit}`)).reduce((all, n) => all + Number(n), 0);
    expect([await sum('requests'), await sum('tokens')]).toEqual([12, 12 * 30]);
    eye.disconnect();
  });

  it('refuse a call that a rate applies to while redis is gone, and nothing stays taken', async () => {
    const gate = await open([{ scope: 'tenant', window: 'hour', limit_requests: 5 }]);
    expect((await ask(gate)).status).toBe(200);
    suite.redis.freeze();
    expect((await ask(gate)).status).toBe(503);
    suite.redis.thaw();
    await until(async () => (await ask(gate)).status === 200, 'calls pass again');
    const store = await openShared(suite.redis.url);
    const eye = new Redis(suite.redis.url);
    const taken = async (): Promise<number> =>
      (await eye.hvals('tollgate:{t.local}:rate:tenant:local:hour:requests')).reduce((all, n) => all + Number(n), 0);
    await until(async () => (await taken()) === 2, 'only what was carried is counted');
    expect(await store.ledger.openHolds()).toEqual([]);
    expect(await store.ledger.balances([TENANT])).toMatchObject([{ spent: 0n, held: 0n }]);
    eye.disconnect();
    await store.close();
  });
});
