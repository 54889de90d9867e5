import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { usdToNano } from '../../gateway/domain/money.ts';
import { epochMs, nano } from '../../gateway/domain/scalars.ts';
import { openRedisDesk } from '../../gateway/stores/redis/open-redis.ts';
import { systemClock } from '../../gateway/telemetry/clock.ts';
import { createLog } from '../../gateway/telemetry/log.ts';
import { startTestGate, type TestGate } from '../support/gate.ts';
import { gatesForSuite } from '../support/redis-suite.ts';
import { account, openShared, until } from '../support/shared-store.ts';
import { stopwatch } from '../support/stopwatch.ts';
import { completion, json, startUpstream, type TestUpstream } from '../support/upstream.ts';

const TENANT = account('tenant:local:total:0', 0n);
const USAGE = { prompt_tokens: 100, completion_tokens: 50, total_tokens: 150 };

let upstream: TestUpstream;
// the gates, which ask it, end before it
afterEach(() => upstream.close());
const suite = gatesForSuite();

function open(config: Record<string, unknown>, policy?: string): Promise<TestGate> {
  return suite.open({
    upstreams: { openai: { base_url: upstream.url, dialects: ['openai-chat'], credential: { bearer: 'own' } } },
    config: { store: { redis: suite.redis.url, timeout_ms: 1_000 }, ...config },
    ...(policy !== undefined && { policy }),
  });
}

const body = (max: number, text = 'go') =>
  JSON.stringify({ model: 'gpt-4o', max_completion_tokens: max, messages: [{ role: 'user', content: text }] });
const ask = (gate: TestGate, content = body(100), run = 'r', headers: Record<string, string> = {}): Promise<Response> =>
  fetch(`${gate.url}/run/${run}/openai/v1/chat/completions`, { method: 'POST', body: content, headers });
const codeOf = async (response: Response): Promise<unknown> =>
  ((await response.json()) as { error: { code: string } }).error.code;
const sum = (amounts: readonly string[]): bigint => amounts.reduce((total, usd) => total + usdToNano(usd), 0n);

describe('two gates and one redis', () => {
  it('let exactly as many of 200 parallel calls through as there is money for, and both records add up to it', async () => {
    const size = body(100).length;
    const quoted = (BigInt(size) + 1024n) * 2500n + 100n * 10_000n;
    const usage = { prompt_tokens: size + 1024, completion_tokens: 100, total_tokens: size + 1124 };
    upstream = await startUpstream((_r, response) => {
      setTimeout(() => json(response, 200, completion({ content: 'done' }, usage, 'gpt-4o')), 20);
    });
    const limit_usd = (Number(quoted * 10n) / 1e9).toFixed(9);
    const config = { budgets: [{ scope: 'tenant', limit_usd }], store: { redis: suite.redis.url, timeout_ms: 5_000 } };
    const two = [await open(config), await open(config)] as const;
    const replies = await Promise.all(Array.from({ length: 200 }, (_, n) => ask(two[n % 2] as TestGate)));
    const statuses = replies.map(({ status }) => status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(10);
    expect(statuses.filter((status) => status === 402)).toHaveLength(190);
    expect(upstream.received).toHaveLength(10);
    const costs = (await Promise.all(two.map((gate) => gate.sealed(100)))).flat().map(({ cost_usd }) => cost_usd);
    expect(sum(costs)).toBe(quoted * 10n);
    const store = await openShared(suite.redis.url);
    expect(await store.ledger.balances([TENANT])).toMatchObject([{ spent: quoted * 10n, held: 0n }]);
    await store.close();
  });

  it('refuse budgeted calls within the timeout while redis is gone, and nothing stays held when it is back', async () => {
    upstream = await startUpstream((_r, response) =>
      json(response, 200, completion({ content: 'ok' }, USAGE, 'gpt-4o')),
    );
    const gate = await open({ budgets: [{ scope: 'tenant', limit_usd: 1 }] });
    expect((await ask(gate)).status).toBe(200);
    suite.redis.freeze();
    const took = stopwatch();
    const refused = await Promise.all(Array.from({ length: 20 }, () => ask(gate)));
    expect(took()).toBeLessThan(2_000);
    for (const response of refused) {
      expect(response.status).toBe(503);
      expect(await codeOf(response)).toBe('TG_LEDGER_UNAVAILABLE');
    }
    expect(upstream.received).toHaveLength(1);
    const metrics = await (await fetch(`${gate.office}/metrics`)).text();
    expect(metrics).toContain('tollgate_shared_store_up 0');
    suite.redis.thaw();
    await until(async () => (await ask(gate)).status === 200, 'calls pass again');
    await until(
      async () => (await gate.calls()).filter(({ status }) => status === 200).length === 2,
      'both are sealed',
    );
    const spent = sum((await gate.calls()).map(({ cost_usd }) => cost_usd));
    const store = await openShared(suite.redis.url);
    await until(async () => (await store.ledger.balances([TENANT]))[0]?.held === 0n, 'nothing is held');
    expect(await store.ledger.balances([TENANT])).toMatchObject([{ spent }]);
    await store.close();
  });

  it('carry calls without a budget while redis is gone', async () => {
    upstream = await startUpstream((_r, response) =>
      json(response, 200, completion({ content: 'ok' }, USAGE, 'gpt-4o')),
    );
    const gate = await open({ budgets: [] });
    suite.redis.freeze();
    expect((await ask(gate)).status).toBe(200);
    suite.redis.thaw();
  });

  it('settle a call that redis missed the end of, when it is back', async () => {
    upstream = await startUpstream((_r, response) => {
      suite.redis.freeze();
      json(response, 200, completion({ content: 'ok' }, USAGE, 'gpt-4o'));
    });
    const gate = await open({ budgets: [{ scope: 'tenant', limit_usd: 1 }] });
    expect((await ask(gate)).status).toBe(200);
    const [call] = await gate.sealed(1);
    expect(call?.cost_usd).toBe('0.00075');
    suite.redis.thaw();
    const store = await openShared(suite.redis.url);
    await until(async () => (await store.ledger.balances([TENANT]))[0]?.held === 0n, 'the settlement is delivered');
    expect(await store.ledger.balances([TENANT])).toMatchObject([{ spent: 750_000n, held: 0n }]);
    await store.close();
  });

  it("know a halt that the other made, and each other's steps of a run", async () => {
    upstream = await startUpstream((_r, response) =>
      json(response, 200, completion({ content: 'ok' }, USAGE, 'gpt-4o')),
    );
    const policy = [
      'policy: tollgate/v1',
      'name: test',
      'default: allow',
      'rules:',
      '  - id: third-step',
      '    at: pre_model_call',
      '    when: run.steps >= 3',
      '    verdict: deny',
      '    halt: run',
      '    reason: too_long',
      '    message: three steps are enough',
      '',
    ].join('\n');
    const config = { budgets: [{ scope: 'tenant', limit_usd: 1 }] };
    const [one, two] = [await open(config, policy), await open(config, policy)];
    expect((await ask(one, body(10, 'a'))).status).toBe(200);
    expect((await ask(two, body(10, 'b'))).status).toBe(200);
    // the third of the run, the second at this gate: denied, and the run is halted
    expect((await ask(one, body(10, 'c'))).status).toBe(403);
    const heard = stopwatch();
    await until(async () => (await ask(two, body(10, 'd'))).status === 403, 'the other gate heard of the halt');
    expect(heard()).toBeLessThan(2_000);
    expect((await ask(two, body(10, 'e'), 'other')).status).toBe(200);
    // an operator lifts it beside both
    const desk = await openRedisDesk(suite.redis.url, { clock: systemClock(), log: createLog({ level: 'silent' }) });
    expect(await desk.halts.list()).toMatchObject([{ kind: 'run', id: 'local/open/r' }]);
    expect(await desk.halts.lift('run', 'local/open/r')).toBe(true);
    expect(await desk.halts.lift('run', 'local/open/r')).toBe(false);
    await desk.close();
    const words = async (): Promise<string> => (await ask(one, body(10, 'f'))).text();
    const lifted = stopwatch();
    await until(async () => (await words()).includes('three steps are enough'), 'the rule speaks again');
    expect(lifted()).toBeLessThan(2_000);
  });
});

describe('a gate that was killed', () => {
  it("charges what it carried, gives back what it never began, and leaves the other's holds alone", async () => {
    upstream = await startUpstream((_r, response) =>
      json(response, 200, completion({ content: 'ok' }, USAGE, 'gpt-4o')),
    );
    const gate = await open({ budgets: [{ scope: 'tenant', limit_usd: 1 }] });
    await ask(gate);
    await gate.sealed(1);
    await gate.stop();
    // what a kill -9 leaves: a hold that was never begun, and a settlement that did not arrive
    const [stray] = ['call_00000000000000000000000001' as const];
    const dead = await openShared(suite.redis.url, { folder: join(gate.folder, 'data') });
    const other = await openShared(suite.redis.url);
    const request = {
      at: epochMs(Date.now()),
      accounts: [{ ...TENANT, limit: nano(10n ** 9n) }],
      amount: nano(500n),
      least: nano(500n),
      lapsesAt: epochMs(Date.now() + 60_000),
    };
    await dead.ledger.reserve({ id: stray as never, ...request });
    await other.ledger.reserve({ id: 'call_00000000000000000000000002' as never, ...request });
    await dead.close();
    const again = await startTestGate({
      upstreams: { openai: { base_url: upstream.url, dialects: ['openai-chat'] } },
      folder: gate.folder,
      config: { store: { redis: suite.redis.url }, budgets: [{ scope: 'tenant', limit_usd: 1 }] },
    });
    expect(again.running.recovered).toEqual({ lapsed: 0, indexed: 0, released: 1 });
    expect(await other.ledger.balances([TENANT])).toMatchObject([{ spent: 750_000n, held: 500n }]);
    await again.stop();
    await other.close();
  });
});

describe('keys that gates share', () => {
  it('work at once everywhere, are refused a second after they were revoked, and never pass while redis is gone', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tollgate-keys-'));
    const { keyHash } = await import('../../gateway/identity/api-key.ts');
    upstream = await startUpstream((_r, response) =>
      json(response, 200, completion({ content: 'ok' }, USAGE, 'gpt-4o')),
    );
    const gate = await open({ access: 'keys' });
    const store = await openShared(suite.redis.url, { folder });
    const key = `tg_${'k'.repeat(43)}`;
    const withKey = (): Promise<Response> => ask(gate, body(10), 'r', { authorization: `Bearer ${key}` });
    expect((await withKey()).status).toBe(401);
    await store.keys.add(keyHash(key), { id: 'key_1', tenant: 'default', agent: 'coder', createdAt: epochMs(1) });
    expect((await withKey()).status).toBe(200);
    await store.keys.revoke('key_1', epochMs(Date.now()));
    const revoked = stopwatch();
    await until(async () => (await withKey()).status === 401, 'the key is refused');
    expect(revoked()).toBeLessThan(1_500);
    suite.redis.freeze();
    const frozen = stopwatch();
    await until(async () => (await withKey()).status === 503, 'what was known of the key is too old');
    expect(frozen()).toBeLessThan(3_000);
    suite.redis.thaw();
    await store.close();
    rmSync(folder, { recursive: true });
  });
});
