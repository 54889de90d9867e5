import { rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import OpenAI from 'openai';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openSpool } from '../../gateway/audit/spool.ts';
import { usdToNano } from '../../gateway/domain/money.ts';
import type { BeginEntry, SealEntry } from '../../gateway/domain/receipt.ts';
import { startChildGate } from '../support/child-gate.ts';
import { type TestGate, writeConfig } from '../support/gate.ts';
import { gatesForSuite } from '../support/redis-suite.ts';
import { account, openShared, until } from '../support/shared-store.ts';
import { completion, json, startUpstream, type TestUpstream } from '../support/upstream.ts';

const TENANT = account('tenant:local:total:0', 0n);
const USAGE = { prompt_tokens: 100, completion_tokens: 50, total_tokens: 150 };
/** gpt-4o: 100 × $2.50/M + 50 × $10/M */
const COST = 750_000n;

let upstream: TestUpstream;
/** calls the upstream has heard and does not answer, once it is told to fall silent */
let unanswered: number | undefined;
// the gates, which ask it, end before it
afterEach(() => upstream.close());
const suite = gatesForSuite();

beforeEach(async () => {
  unanswered = undefined;
  upstream = await startUpstream((_r, response) => {
    if (unanswered !== undefined) unanswered += 1;
    else setTimeout(() => json(response, 200, completion({ content: 'ok' }, USAGE, 'gpt-4o')), 5);
  });
});

const settings = (limitUsd: number | string, leaseMs: number) => ({
  upstreams: {
    openai: { base_url: upstream.url, dialects: ['openai-chat', 'openai-responses'], credential: { bearer: 'own' } },
  },
  config: {
    budgets: [
      { scope: 'tenant', limit_usd: limitUsd },
      { scope: 'run', limit_usd: limitUsd },
    ],
    store: { redis: suite.redis.url, timeout_ms: 5_000, lease_ms: leaseMs },
  },
});

function open(limitUsd: number | string, folder?: string, leaseMs = 60_000): Promise<TestGate> {
  return suite.open({ ...settings(limitUsd, leaseMs), ...(folder !== undefined && { folder }) });
}

const clientOf = (gate: TestGate, run: string): OpenAI =>
  new OpenAI({ baseURL: `${gate.url}/run/${run}/openai/v1`, apiKey: 'k', maxRetries: 0 });
const BODY = { model: 'gpt-4o', max_completion_tokens: 50, messages: [{ role: 'user' as const, content: 'go' }] };
const ask = (url: string, run: string): Promise<Response> =>
  fetch(`${url}/run/${run}/openai/v1/chat/completions`, { method: 'POST', body: JSON.stringify(BODY) });

/** What Redis counts for the tenant, once nothing is held. */
async function spentInRedis(): Promise<bigint> {
  const store = await openShared(suite.redis.url);
  const balance = async () => (await store.ledger.balances([TENANT]))[0];
  await until(async () => (await balance())?.held === 0n, 'nothing is held');
  expect(await store.audit()).toEqual([]);
  const spent = (await balance())?.spent ?? -1n;
  await store.close();
  return spent;
}

const metric = async (gate: { readonly office: string }, name: string): Promise<number> => {
  const text = await (await fetch(`${gate.office}/metrics`)).text();
  const line = text.split('\n').find((one) => one.startsWith(name));
  return Number(line?.split(' ').at(-1) ?? 0);
};
const receiptsOf = async (gate: TestGate): Promise<bigint> =>
  (await gate.calls('&limit=1000')).reduce((sum, { cost_usd }) => sum + usdToNano(cost_usd), 0n);

describe('two gates that lease', () => {
  it('grant most calls of agents without asking, and what they charge is what the receipts say', async () => {
    const two = [await open(100), await open(100)];
    const agent = async (gate: TestGate, run: string): Promise<void> => {
      for (let step = 0; step < 25; step += 1) {
        const { data, response } = await clientOf(gate, run).chat.completions.create(BODY).withResponse();
        expect(data.choices[0]?.message.content).toBe('ok');
        expect(response.headers.get('x-tollgate-budget-left')).toMatch(/^99\.\d+; scope=/);
      }
    };
    await Promise.all(two.flatMap((gate, g) => [0, 1, 2].map((n) => agent(gate, `r${g}${n}`))));
    for (const gate of two) {
      await gate.sealed(75);
      const leased = await metric(gate, 'tollgate_grants_total{from="lease"}');
      expect(leased).toBeGreaterThan(40);
      expect(leased + (await metric(gate, 'tollgate_grants_total{from="store"}'))).toBe(75);
      expect(await metric(gate, 'tollgate_open_leases')).toBeGreaterThanOrEqual(0);
      expect(await receiptsOf(gate)).toBe(COST * 75n);
      await gate.stop();
    }
    expect(await spentInRedis()).toBe(COST * 150n);
  });

  it('let the last cent be spent at either gate, and not one call more', async () => {
    // money for 150 exact calls; the worst case of one is more than four times that
    const worst = (BigInt(JSON.stringify(BODY).length) + 1024n) * 2500n + 50n * 10_000n;
    const limit = COST * 150n;
    const two = [await open((Number(limit) / 1e9).toFixed(9)), await open((Number(limit) / 1e9).toFixed(9))] as const;
    // one gate leases while there is plenty, then only the other is asked
    for (let i = 0; i < 20; i += 1) expect((await ask(two[0].url, 'a')).status).toBe(200);
    let passed = 20;
    for (let status = 200; status === 200; passed += status === 200 ? 1 : 0)
      status = (await ask(two[1].url, `b${passed % 3}`)).status;
    await until(
      async () => (await receiptsOf(two[0])) + (await receiptsOf(two[1])) === COST * BigInt(passed),
      'sealed',
    );
    for (const gate of two) await gate.stop();
    expect(await spentInRedis()).toBe(COST * BigInt(passed));
    expect(limit - COST * BigInt(passed)).toBeLessThan(worst);
  });

  it('hold a background response by itself, over the end of its lease and a restart', async () => {
    await upstream.close();
    let status = 'queued';
    upstream = await startUpstream((_request, response) => {
      const usage = status === 'completed' ? { input_tokens: 1000, output_tokens: 100, total_tokens: 1100 } : null;
      json(response, 200, { id: 'resp_1', object: 'response', status, model: 'gpt-4o-mini', output: [], usage });
    });
    const first = await open(100, undefined, 1_000);
    const body = JSON.stringify({ model: 'gpt-4o-mini', input: 'go', background: true, max_output_tokens: 100 });
    const create = (): Promise<Response> => fetch(`${first.url}/run/r/openai/v1/responses`, { method: 'POST', body });
    status = 'completed';
    const leased = (): Promise<number> => metric(first, 'tollgate_grants_total{from="lease"}');
    let made = 0;
    await until(async () => {
      made += 1;
      return (await create()).status === 200 && (await leased()) > 0;
    }, 'a call is granted out of a lease');
    status = 'queued';
    await until(async () => {
      made += 1;
      const before = await leased();
      return (await create()).status === 200 && (await leased()) > before;
    }, 'one that is charged later is granted out of a lease');
    await first.sealed(made);
    await first.stop();
    const store = await openShared(suite.redis.url);
    const balance = async () => (await store.ledger.balances([TENANT]))[0];
    expect((await balance())?.held).toBeGreaterThan(0n);
    const again = await open(100, first.folder, 1_000);
    expect((await balance())?.held).toBeGreaterThan(0n);
    status = 'completed';
    expect((await fetch(`${again.url}/openai/v1/responses/resp_1`)).status).toBe(200);
    await until(async () => (await balance())?.held === 0n, 'it is settled');
    await store.close();
    await until(
      async () => (await receiptsOf(again)) === (await spentInRedis()),
      'what is charged is what receipts say',
    );
  });
});

describe('kill -9 of gates that lease', () => {
  /** Calls without a pause until the gate is gone. */
  async function load(url: string, run: string): Promise<void> {
    for (;;) {
      try {
        await (await ask(url, run)).text();
      } catch {
        // the gate was killed: that is what this test is about
        return;
      }
    }
  }

  /** Begin lines and receipts of a record. */
  async function recordOf(folder: string): Promise<{ begins: BeginEntry[]; seals: Map<string, SealEntry> }> {
    const spool = await openSpool(join(folder, 'data', 'spool'));
    const begins: BeginEntry[] = [];
    const seals = new Map<string, SealEntry>();
    for await (const { entry } of spool.read(1)) {
      if (entry.kind === 'begin') begins.push(entry);
      if (entry.kind === 'seal') seals.set(entry.id, entry);
    }
    await spool.close();
    return { begins, seals };
  }

  it('charges every lease what its calls came to, however often they die', { timeout: 120_000 }, async () => {
    const configs = [writeConfig(settings(1_000, 1_500)), writeConfig(settings(1_000, 1_500))] as const;
    for (let round = 0; round < 2; round += 1) {
      const pair = await Promise.all(configs.map((config) => startChildGate(config)));
      const working = pair.flatMap(({ url }) => Array.from({ length: 6 }, (_, n) => load(url, `r${n % 3}`)));
      const before = upstream.received.length;
      await until(() => upstream.received.length > before + 60, 'calls are carried');
      await sleep(137 * round);
      for (const gate of pair) await gate.end('SIGKILL');
      await Promise.all(working);
    }
    const last = await Promise.all(configs.map((config) => startChildGate(config)));
    for (const gate of last) expect(await gate.end('SIGTERM')).toBe(0);

    let charged = 0n;
    let leased = 0;
    for (const config of configs) {
      const { begins, seals } = await recordOf(dirname(config));
      expect(begins.filter(({ id }) => !seals.has(id))).toEqual([]);
      leased += begins.filter(({ hold }) => hold.leases).length;
      for (const { cost_usd } of seals.values()) charged += usdToNano(cost_usd);
      rmSync(dirname(config), { recursive: true, force: true });
    }
    expect(leased).toBeGreaterThan(50);
    expect(await spentInRedis()).toBe(charged);
  });

  it('tells a redis that lost everything of the leases that calls were part of', { timeout: 60_000 }, async () => {
    const config = writeConfig(settings(1_000, 60_000));
    const gate = await startChildGate(config);
    const working = Array.from({ length: 4 }, () => load(gate.url, 'r'));
    await until(() => upstream.received.length > 60, 'calls are carried');
    // what is open when it dies is open for certain, and granted out of leases
    unanswered = 0;
    await until(() => unanswered === working.length, 'every agent waits');
    const leased = (): Promise<number> => metric(gate, 'tollgate_grants_total{from="lease"}');
    const before = await leased();
    await until(async () => {
      const heard = upstream.received.length;
      working.push(load(gate.url, 'r'));
      await until(() => upstream.received.length > heard, 'one more waits');
      return (await leased()) >= before + 3;
    }, 'open calls are granted out of leases');
    await gate.end('SIGKILL');
    await Promise.all(working);
    await suite.redis.kill();
    suite.redis.wipe();
    await suite.redis.start();
    const again = await startChildGate(config);
    expect(await again.end('SIGTERM')).toBe(0);
    const { begins, seals } = await recordOf(dirname(config));
    rmSync(dirname(config), { recursive: true, force: true });
    const lapsed = begins.filter(({ id }) => seals.get(id)?.ending === 'lapsed');
    const named = new Set(lapsed.flatMap(({ hold }) => hold.leases?.[0] ?? []));
    expect(named.size).toBeGreaterThan(0);
    const theirs = begins.filter(({ hold }) => named.has(hold.leases?.[0] ?? ''));
    const least = theirs.reduce((sum, { id }) => sum + usdToNano(seals.get(id)?.cost_usd ?? '0'), 0n);
    expect(least).toBeGreaterThan(COST * 5n);
    expect(await spentInRedis()).toBeGreaterThanOrEqual(least);
    expect(await spentInRedis()).toBeLessThanOrEqual(
      [...seals.values()].reduce((sum, { cost_usd }) => sum + usdToNano(cost_usd), 0n),
    );
  });
});
