import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { usdToNano } from '../../gateway/domain/money.ts';
import { startTestGate, type TestGate } from '../support/gate.ts';
import { type ApartRedis, startRedisApart } from '../support/redis-apart.ts';
import { until } from '../support/shared-store.ts';
import { completion, json, startUpstream, type TestUpstream } from '../support/upstream.ts';

let redis: ApartRedis;
let upstream: TestUpstream;
let gates: readonly TestGate[] = [];

beforeEach(async () => {
  redis = await startRedisApart();
});
afterEach(async () => {
  for (const way of redis.ways) way.mend();
  for (const gate of gates) await gate.remove();
  gates = [];
  await upstream.close();
  await redis.remove();
});

const USAGE = { prompt_tokens: 100, completion_tokens: 50, total_tokens: 150 };
/** gpt-4o: 100 × $2.50/M + 50 × $10/M */
const COST = 750_000n;

/** Two gates, each with its own way to the same Redis. */
async function open(tenantLimit: number, leaseMs: number): Promise<readonly [TestGate, TestGate]> {
  upstream = await startUpstream((_r, response) => {
    setTimeout(() => json(response, 200, completion({ content: 'ok' }, USAGE, 'gpt-4o')), 30);
  });
  const budgets = [{ scope: 'tenant', window: 'day', limit_usd: tenantLimit }];
  const start = (i: 0 | 1): Promise<TestGate> =>
    startTestGate({
      upstreams: { openai: { base_url: upstream.url, dialects: ['openai-chat'] } },
      config: { budgets, store: { redis: redis.ways[i].url, timeout_ms: 1_500, lease_ms: leaseMs } },
    });
  const pair = [await start(0), await start(1)] as const;
  gates = pair;
  return pair;
}

const ask = (gate: TestGate): Promise<Response> =>
  fetch(`${gate.url}/openai/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: 'Bearer own' },
    body: JSON.stringify({ model: 'gpt-4o', max_tokens: 50, messages: [{ role: 'user', content: 'go' }] }),
  });

/** the worst case of one call */
const WORST =
  (BigInt(JSON.stringify({ model: 'gpt-4o', max_tokens: 50, messages: [{ role: 'user', content: 'go' }] }).length) +
    1024n) *
    2500n +
  50n * 10_000n;

/** How many calls were granted out of leases. */
const leased = async (gate: TestGate): Promise<number> => {
  const text = await (await fetch(`${gate.office}/metrics`)).text();
  return Number(/^tollgate_grants_total\{from="lease"\} (\d+)/m.exec(text)?.[1] ?? 0);
};

const spentOf = async (gate: TestGate): Promise<bigint> =>
  (await gate.calls('&limit=1000')).reduce((sum, call) => sum + usdToNano(call.cost_usd), 0n);

const carriedOf = (gate: TestGate): Promise<number> =>
  gate.calls('&limit=1000').then((calls) => calls.filter(({ status }) => status === 200).length);

describe.each(['cut', 'deafen'] as const)('a gate whose way to redis is gone (%s)', (how) => {
  it('refuses budgeted calls, the other goes on; nothing is overspent, and nothing stays held once it is mended', async () => {
    // money for 40 exact calls; the worst case of one is a little more
    const [one, two] = await open(Number(COST * 40n) / 1e9, 0);
    for (const gate of [one, two]) expect((await ask(gate)).status).toBe(200);

    // calls of the first are under way when its way goes
    const underWay = Array.from({ length: 5 }, () => ask(one));
    await until(async () => upstream.received.length >= 7, 'they are carried');
    redis.ways[0][how]();
    const ended = await Promise.all(underWay);
    expect(ended.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    const refused = await Promise.all(Array.from({ length: 4 }, () => ask(one)));
    expect(refused.map(({ status }) => status)).toEqual([503, 503, 503, 503]);
    for (let i = 0; i < 5; i += 1) expect((await ask(two)).status).toBe(200);

    redis.ways[0].mend();
    await until(async () => (await ask(one)).status === 200, 'the first gate carries again');
    // now everybody until the money is gone
    const bothAreRefused = async (): Promise<boolean> => {
      const replies = await Promise.all([ask(one), ask(two)]);
      return replies.every(({ status }) => status === 402);
    };
    await until(bothAreRefused, 'the money is gone');
    const allAreSealed = async (): Promise<boolean> =>
      (await carriedOf(one)) + (await carriedOf(two)) === upstream.received.length;
    await until(allAreSealed, 'all are sealed');
    const spent = (await spentOf(one)) + (await spentOf(two));
    expect(spent).toBeLessThanOrEqual(COST * 40n);
    // no phantom denial: what is left is less than the worst case of one more call
    expect(COST * 40n - spent).toBeLessThan(WORST);
  });

  it('goes on with what it leased, up to that; nothing is overspent, and the other gets the rest once it is mended', async () => {
    // leases are taken where there is plenty: money for 500 exact calls
    const [one, two] = await open(Number(COST * 500n) / 1e9, 60_000);
    for (const gate of [one, two])
      await until(async () => (await ask(gate)).status === 200 && (await leased(gate)) > 0, 'calls are leased');
    redis.ways[0][how]();
    const before = await leased(one);
    let status = 200;
    for (let i = 0; i < 100 && status === 200; i += 1) status = (await ask(one)).status;
    expect(status).toBe(503);
    expect(await leased(one)).toBeGreaterThan(before);
    for (let i = 0; i < 5; i += 1) expect((await ask(two)).status).toBe(200);

    redis.ways[0].mend();
    await until(async () => (await ask(one)).status === 200, 'the first gate carries again');
    const allAreRefused = async (): Promise<boolean> => {
      const replies = await Promise.all(Array.from({ length: 12 }, (_, n) => ask(n % 2 === 0 ? one : two)));
      return replies.every(({ status }) => status === 402);
    };
    await until(allAreRefused, 'the money is gone', 40_000);
    const allAreSealed = async (): Promise<boolean> =>
      (await carriedOf(one)) + (await carriedOf(two)) === upstream.received.length;
    await until(allAreSealed, 'all are sealed');
    const spent = (await spentOf(one)) + (await spentOf(two));
    expect(spent).toBeLessThanOrEqual(COST * 500n);
    expect(COST * 500n - spent).toBeLessThan(WORST);
  });
});
