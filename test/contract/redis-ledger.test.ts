import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { epochMs, nano } from '../../gateway/domain/scalars.ts';
import type { Account } from '../../gateway/ports/ledger.ts';
import type { RedisStore } from '../../gateway/stores/redis/open-redis.ts';
import { faultOf } from '../support/fault-of.ts';
import { startLossyLink } from '../support/lossy-link.ts';
import { lossyForSuite, redisForSuite } from '../support/redis-suite.ts';
import { account, freshCall, openShared, until, wanted } from '../support/shared-store.ts';
import { stopwatch } from '../support/stopwatch.ts';

const MOST = 2n ** 63n - 1n;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const suite = redisForSuite();
let store: RedisStore;

beforeEach(async () => {
  store = await openShared(suite.redis.url);
});
afterEach(async () => {
  await until(() => store.ledger.pending() === 0, 'everything is delivered');
  expect(await store.audit()).toEqual([]);
  await store.close();
});

const totals = async (...accounts: readonly Account[]): Promise<readonly (readonly [bigint, bigint])[]> =>
  (await store.ledger.balances(accounts)).map(({ spent, held }) => [spent, held] as const);

describe('round trips', () => {
  it('asks once per verb, whatever the number of accounts, and never without a budget', async () => {
    const accounts = ['run:t/k/r:total:0', 'agent:t/k/a:day:1', 'tenant:t:month:1'].map((id) => account(id, 1_000n));
    const count = async (work: () => Promise<unknown>): Promise<number> => {
      const before = store.asked();
      await work();
      return store.asked() - before;
    };
    const warm = freshCall();
    await store.ledger.reserve(wanted(warm, accounts, 1n));
    await store.ledger.extend(warm, nano(2n), accounts);
    await store.ledger.renew(warm, epochMs(Date.now() + 60_000));
    await store.ledger.settle(warm, nano(1n), accounts);
    const other = freshCall();
    await store.ledger.reserve(wanted(other, accounts, 1n));
    await store.ledger.release(other);
    const id = freshCall();
    expect(await count(() => store.ledger.reserve(wanted(id, accounts, 10n)))).toBe(1);
    expect(await count(() => store.ledger.extend(id, nano(12n), accounts))).toBe(1);
    expect(await count(() => store.ledger.renew(id, epochMs(Date.now() + 90_000)))).toBe(1);
    expect(await count(() => store.ledger.settle(id, nano(7n), accounts))).toBe(1);
    const free = freshCall();
    expect(await count(() => store.ledger.reserve(wanted(free, [], 10n)))).toBe(0);
    expect(await count(() => store.ledger.settle(free, nano(7n), []))).toBe(0);
    expect(await totals(...accounts)).toEqual([
      [8n, 0n],
      [8n, 0n],
      [8n, 0n],
    ]);
  });
});

describe('what it refuses to start on', () => {
  it('a server that may evict keys', async () => {
    await suite.admin.config('SET', 'maxmemory-policy', 'allkeys-lru');
    const fault = await faultOf(openShared(suite.redis.url));
    await suite.admin.config('SET', 'maxmemory-policy', 'noeviction');
    expect(fault.code).toBe('TG_LEDGER_UNAVAILABLE');
    expect(fault.message).toContain('maxmemory-policy noeviction');
  });

  it('a server that is not there, and says which', async () => {
    const fault = await faultOf(openShared('redis://:secret@127.0.0.1:1'));
    expect(fault.message).toContain('127.0.0.1:1');
    expect(fault.message).not.toContain('secret');
  });
});

describe('exact numbers', () => {
  const LARGE = [
    10n ** 9n - 1n,
    10n ** 9n,
    10n ** 14n,
    10n ** 18n + 1n,
    2n ** 53n,
    2n ** 53n + 1n,
    2n ** 62n,
    MOST - 1n,
  ];

  it.each(LARGE)('the last nano-dollar of %s can be held, and not one more', async (limit) => {
    const run = account('run:t/k/r:total:0', limit);
    const [all, one] = [freshCall(), freshCall()];
    expect(await store.ledger.reserve(wanted(all, [run], limit - 1n))).toMatchObject({ granted: true });
    expect(await store.ledger.reserve(wanted(freshCall(), [run], 2n))).toMatchObject({ granted: false, left: 1n });
    expect(await store.ledger.reserve(wanted(one, [run], 2n, { least: nano(1n) }))).toMatchObject({ amount: 1n });
    await store.ledger.settle(all, nano(limit - 1n), [run]);
    await store.ledger.settle(one, nano(1n), [run]);
    expect(await totals(run)).toEqual([[limit, 0n]]);
    expect(await store.ledger.reserve(wanted(freshCall(), [run], 0n))).toMatchObject({ granted: true });
    expect(await store.ledger.reserve(wanted(freshCall(), [run], 1n))).toMatchObject({ granted: false, left: 0n });
  });
});

describe('time', () => {
  it("lapses leases by the server's clock, however wrong a gateway's is", async () => {
    const wrong = { now: () => epochMs(Date.now() - 86_400_000 * 30), ticks: () => performance.now() };
    const off = await openShared(suite.redis.url, { clock: wrong });
    const run = account('run:t/k/r:total:0', 100n);
    const at = wrong.now();
    const [short, long] = [freshCall(), freshCall()];
    await off.ledger.reserve(wanted(short, [run], 10n, { at, lapsesAt: epochMs(at + 2_000) }));
    await off.ledger.reserve(wanted(long, [run], 20n, { at, lapsesAt: epochMs(at + 60_000) }));
    expect(await store.ledger.lapse(epochMs(Date.now()))).toEqual([]);
    await pause(2_100);
    expect(await store.ledger.lapse(epochMs(Date.now()))).toEqual([{ id: short, amount: 10n }]);
    expect(await totals(run)).toEqual([[10n, 20n]]);
    await off.ledger.settle(long, nano(5n), [run]);
    await off.close();
  });

  it('sweeps in passing, a few per reserve, and tells of it at the next lapse', async () => {
    const run = account('run:t/k/r:total:0', 1_000n);
    const gone = Array.from({ length: 6 }, () => freshCall());
    const at = epochMs(Date.now());
    for (const id of gone) await store.ledger.reserve(wanted(id, [run], 10n, { at, lapsesAt: epochMs(at + 2_000) }));
    await pause(2_100);
    await store.ledger.reserve(wanted(freshCall(), [run], 1n));
    expect(await totals(run)).toEqual([[40n, 21n]]);
    const told = await store.ledger.lapse(epochMs(Date.now()));
    expect(new Set(told.map(({ id }) => id))).toEqual(new Set(gone));
    expect(await totals(run)).toEqual([[60n, 1n]]);
  });

  it('sets no expiry on money', async () => {
    const day = account('tenant:t:day:1', 100n, { resetsAt: epochMs(Date.now() + 60_000) });
    const [open, done] = [freshCall(), freshCall()];
    await store.ledger.reserve(wanted(open, [day], 10n));
    await store.ledger.reserve(wanted(done, [day], 10n));
    await store.ledger.settle(done, nano(3n), [day]);
    const keys = await suite.admin.keys('tollgate:*');
    expect(keys.length).toBeGreaterThan(4);
    for (const key of keys) expect([key, await suite.admin.ttl(key)]).toEqual([key, -1]);
  });

  it('folds old records and drops ended windows, and totals stay the sum of the records', async () => {
    const brief = await openShared(suite.redis.url, { keepMs: 100 });
    const ended = account('tenant:t:minute:1', 1_000n, { resetsAt: epochMs(Date.now()) });
    const total = account('run:t/k/r:total:0', 1_000n);
    for (let i = 0; i < 5; i += 1) {
      const id = freshCall();
      await brief.ledger.reserve(wanted(id, [ended, total], 10n));
      await brief.ledger.settle(id, nano(7n), [ended, total]);
    }
    const open = freshCall();
    await brief.ledger.reserve(wanted(open, [ended, total], 10n));
    await pause(150);
    await brief.ledger.lapse(epochMs(Date.now()));
    expect((await suite.admin.keys('tollgate:*:h:*')).length).toBe(1);
    // the open hold still stands in the ended window, so that window stays
    expect(await totals(ended, total)).toEqual([
      [35n, 10n],
      [35n, 10n],
    ]);
    expect(await brief.audit()).toEqual([]);
    await brief.ledger.settle(open, nano(1n), [ended, total]);
    await pause(150);
    await brief.ledger.lapse(epochMs(Date.now()));
    expect(await totals(ended, total)).toEqual([
      [0n, 0n],
      [36n, 0n],
    ]);
    expect((await suite.admin.keys('tollgate:*:h:*')).length).toBe(0);
    await brief.close();
  });
});

describe('budgets across tenants', () => {
  const one = (limit: bigint) => account('tenant:one:total:0', limit);
  const two = (limit: bigint) => account('tenant:two:total:0', limit);

  it('holds in both or in none', async () => {
    const id = freshCall();
    expect(await store.ledger.reserve(wanted(id, [one(100n), two(50n)], 60n))).toMatchObject({
      granted: false,
      left: 50n,
    });
    expect(await totals(one(100n), two(50n))).toEqual([
      [0n, 0n],
      [0n, 0n],
    ]);
  });

  it('shrinks the first to what the second grants, and settles, extends and releases in both', async () => {
    const [a, b] = [freshCall(), freshCall()];
    const both = [one(100n), two(50n)];
    expect(await store.ledger.reserve(wanted(a, both, 60n, { least: nano(10n) }))).toMatchObject({ amount: 50n });
    expect(await totals(...both)).toEqual([
      [0n, 50n],
      [0n, 50n],
    ]);
    expect(await store.ledger.settle(a, nano(30n), both)).toEqual({ charged: 30n, overrun: 0n });
    await store.ledger.reserve(wanted(b, both, 10n));
    expect(await store.ledger.extend(b, nano(20n), both)).toBe(true);
    expect(await store.ledger.extend(b, nano(21n), both)).toBe(false);
    expect(await totals(...both)).toEqual([
      [30n, 20n],
      [30n, 20n],
    ]);
    await store.ledger.release(b);
    expect(await totals(...both)).toEqual([
      [30n, 0n],
      [30n, 0n],
    ]);
  });
});

describe('when redis is short of memory', () => {
  it('holds nothing new, writes no half, and still books what was spent', async () => {
    const run = account('run:t/k/r:total:0', 100n);
    const id = freshCall();
    await store.ledger.reserve(wanted(id, [run], 10n));
    await suite.admin.config('SET', 'maxmemory', '1');
    const refused = freshCall();
    expect((await faultOf(store.ledger.reserve(wanted(refused, [run], 10n)))).code).toBe('TG_LEDGER_UNAVAILABLE');
    expect(await store.ledger.settle(id, nano(4n), [run])).toEqual({ charged: 4n, overrun: 0n });
    await suite.admin.config('SET', 'maxmemory', '0');
    await store.ledger.release(refused);
    expect(await totals(run)).toEqual([[4n, 0n]]);
  });
});

describe('a server that forgets its scripts', () => {
  it('is sent them again', async () => {
    const run = account('run:t/k/r:total:0', 1_000n);
    for (let i = 0; i < 5; i += 1) {
      const id = freshCall();
      await store.ledger.reserve(wanted(id, [run], 10n));
      await suite.admin.script('FLUSH');
      await store.ledger.settle(id, nano(3n), [run]);
      await suite.admin.script('FLUSH');
    }
    expect(await totals(run)).toEqual([[15n, 0n]]);
  });
});

describe('lost replies', () => {
  const run = account('run:t/k/r:total:0', 100n);
  const lossy = lossyForSuite(suite, run);

  it.each(['silently', 'cut'] as const)('%s: a reserve that was done is asked again and holds once', async (how) => {
    const id = freshCall();
    lossy.link.lose(how);
    expect((await faultOf(lossy.store.ledger.reserve(wanted(id, [run], 60n)))).code).toBe('TG_LEDGER_UNAVAILABLE');
    await until(async () => (await totals(run))[0]?.[1] === 60n, 'the script ran');
    await lossy.heal();
    expect(await lossy.store.ledger.reserve(wanted(id, [run], 60n))).toMatchObject({ granted: true, amount: 60n });
    expect(await totals(run)).toEqual([[0n, 60n]]);
    await lossy.store.ledger.settle(id, nano(1n), [run]);
  });

  it.each(['silently', 'cut'] as const)('%s: a reserve given up is released when redis is back', async (how) => {
    const id = freshCall();
    lossy.link.lose(how);
    await faultOf(lossy.store.ledger.reserve(wanted(id, [run], 60n)));
    await lossy.store.ledger.release(id);
    expect(lossy.store.ledger.pending()).toBe(1);
    await lossy.heal();
    expect(await totals(run)).toEqual([[0n, 0n]]);
    expect(await lossy.store.ledger.reserve(wanted(freshCall(), [run], 100n))).toMatchObject({ granted: true });
  });

  it.each(['silently', 'cut'] as const)('%s: a settlement is kept, counted once and delivered', async (how) => {
    const id = freshCall();
    await lossy.store.ledger.reserve(wanted(id, [run], 60n));
    lossy.link.lose(how);
    expect(await lossy.store.ledger.settle(id, nano(25n), [run])).toEqual({ charged: 25n, overrun: 0n });
    expect(await lossy.store.ledger.settle(id, nano(99n), [run])).toEqual({ charged: 25n, overrun: 0n });
    await lossy.store.ledger.release(id);
    await lossy.heal();
    expect(await totals(run)).toEqual([[25n, 0n]]);
  });

  it('a reserve that arrives after its release holds nothing', async () => {
    const id = freshCall();
    lossy.link.delay();
    await faultOf(lossy.store.ledger.reserve(wanted(id, [run], 60n)));
    await lossy.store.ledger.release(id);
    // over a new connection, for the old one says nothing
    await until(() => lossy.store.healthy() && lossy.store.ledger.pending() === 0, 'the release is delivered');
    expect(await suite.admin.hget(`tollgate:{t.t}:h:${id}`, 'state')).toBe('released');
    lossy.link.heal();
    await pause(100);
    expect(await totals(run)).toEqual([[0n, 0n]]);
    expect((await faultOf(lossy.store.ledger.reserve(wanted(id, [run], 60n)))).code).toBe('TG_INTERNAL');
  });

  it('costs one timeout and not one per call', async () => {
    lossy.link.partition();
    await faultOf(lossy.store.ledger.reserve(wanted(freshCall(), [run], 1n)));
    const took = stopwatch();
    for (let i = 0; i < 50; i += 1) await faultOf(lossy.store.ledger.reserve(wanted(freshCall(), [run], 1n)));
    expect(took()).toBeLessThan(250);
    await lossy.heal();
  });

  it('lets a call without a budget pass meanwhile', async () => {
    lossy.link.partition();
    const id = freshCall();
    expect(await lossy.store.ledger.reserve(wanted(id, [], 5n))).toMatchObject({ granted: true });
    expect(await lossy.store.ledger.settle(id, nano(5n), [])).toMatchObject({ charged: 5n });
    await lossy.heal();
  });
});

describe('the local allowance', () => {
  it('passes calls up to it while redis is away, counts them, and books them when it is back', async () => {
    const granted: bigint[] = [];
    const link = await startLossyLink(suite.redis.port);
    const own = await openShared(`redis://127.0.0.1:${link.port}`, {
      allowance: nano(100n),
      onAllowance: (amount) => granted.push(amount),
    });
    const run = account('run:t/k/r:total:0', 1_000n);
    link.partition();
    const ids = [freshCall(), freshCall(), freshCall()] as const;
    expect(await own.ledger.reserve(wanted(ids[0], [run], 60n))).toMatchObject({ granted: true, amount: 60n });
    expect((await faultOf(own.ledger.reserve(wanted(ids[1], [run], 60n)))).code).toBe('TG_LEDGER_UNAVAILABLE');
    await own.ledger.release(ids[1]);
    await own.ledger.settle(ids[0], nano(20n), [run]);
    expect(await own.ledger.reserve(wanted(ids[2], [run], 80n))).toMatchObject({ granted: true });
    await own.ledger.settle(ids[2], nano(80n), [run]);
    expect(granted).toEqual([60n, 80n]);
    link.heal();
    await until(() => own.ledger.pending() === 0, 'everything is delivered');
    expect(await totals(run)).toEqual([[100n, 0n]]);
    link.partition();
    expect(await own.ledger.reserve(wanted(freshCall(), [run], 90n))).toMatchObject({ granted: true });
    link.heal();
    await own.close();
    await link.close();
    await suite.admin.flushall();
  });
});

describe('redis killed, restarted, frozen', () => {
  const run = account('run:t/k/r:total:0', 100n);

  it('knows every hold and charge after kill -9, and calls under way are settled', async () => {
    const [open, settled] = [freshCall(), freshCall()];
    await store.ledger.reserve(wanted(open, [run], 30n));
    await store.ledger.reserve(wanted(settled, [run], 40n));
    await store.ledger.settle(settled, nano(20n), [run]);
    await suite.redis.kill();
    expect((await faultOf(store.ledger.reserve(wanted(freshCall(), [run], 1n)))).code).toBe('TG_LEDGER_UNAVAILABLE');
    expect(await store.ledger.settle(open, nano(10n), [run])).toEqual({ charged: 10n, overrun: 0n });
    await suite.redis.start();
    await until(() => store.healthy() && store.ledger.pending() === 0, 'redis is back');
    expect(await totals(run)).toEqual([[30n, 0n]]);
    expect(await store.ledger.reserve(wanted(freshCall(), [run], 71n))).toMatchObject({ granted: false, left: 70n });
    expect(await store.ledger.reserve(wanted(freshCall(), [run], 70n))).toMatchObject({ granted: true });
  });

  it('outlasts a restart shorter than the timeout without an error', async () => {
    const patient = await openShared(suite.redis.url, { timeoutMs: 3_000 });
    await patient.ledger.reserve(wanted(freshCall(), [run], 1n));
    await suite.redis.kill();
    const asked = patient.ledger.reserve(wanted(freshCall(), [run], 1n));
    await suite.redis.start();
    expect(await asked).toMatchObject({ granted: true });
    await patient.close();
  });

  it('frozen: refuses within the timeout, and afterwards nothing stays held', async () => {
    const ids = Array.from({ length: 20 }, () => freshCall());
    suite.redis.freeze();
    const took = stopwatch();
    const faults = await Promise.all(ids.map((id) => faultOf(store.ledger.reserve(wanted(id, [run], 10n)))));
    expect(took()).toBeLessThan(1_700);
    expect(new Set(faults.map(({ code }) => code))).toEqual(new Set(['TG_LEDGER_UNAVAILABLE']));
    await Promise.all(ids.map((id) => store.ledger.release(id)));
    suite.redis.thaw();
    await until(() => store.healthy() && store.ledger.pending() === 0, 'redis is back');
    expect(await totals(run)).toEqual([[0n, 0n]]);
  });

  it('paused by its operator: the same', async () => {
    await suite.admin.client('PAUSE', 2_000, 'ALL');
    const id = freshCall();
    await faultOf(store.ledger.reserve(wanted(id, [run], 10n)));
    await store.ledger.release(id);
    await until(() => store.healthy() && store.ledger.pending() === 0, 'redis is back');
    expect(await totals(run)).toEqual([[0n, 0n]]);
  });

  it('having lost all its data, is still told what was spent', async () => {
    const id = freshCall();
    await store.ledger.reserve(wanted(id, [run], 30n));
    await suite.redis.kill();
    suite.redis.wipe();
    await suite.redis.start();
    await until(() => store.healthy(), 'redis is back');
    expect(await store.ledger.settle(id, nano(10n), [run])).toMatchObject({ charged: 10n });
    expect(await totals(run)).toEqual([[10n, 0n]]);
  });
});

describe('a gateway that starts again', () => {
  it("finds its own open holds and no other's, and restores what its record knows", async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tollgate-again-'));
    const run = account('run:t/k/r:total:0', 1_000n);
    const first = await openShared(suite.redis.url, { folder });
    const [mine, sealed, lost, theirs] = [freshCall(), freshCall(), freshCall(), freshCall()];
    await first.ledger.reserve(wanted(mine, [run], 10n));
    await first.ledger.reserve(wanted(sealed, [run], 20n));
    await store.ledger.reserve(wanted(theirs, [run], 40n));
    await first.close();
    const again = await openShared(suite.redis.url, { folder });
    expect(new Set(await again.ledger.openHolds())).toEqual(new Set([mine, sealed]));
    const at = epochMs(Date.now());
    const recorded = (id: typeof mine, amount: bigint) => ({ id, at, amount: nano(amount), accounts: [run.id] });
    await again.ledger.restore([recorded(sealed, 20n), recorded(lost, 30n)], [{ id: sealed, at, amount: nano(15n) }]);
    expect(await totals(run)).toEqual([[15n, 80n]]);
    await again.ledger.restore([recorded(sealed, 20n), recorded(lost, 30n)], [{ id: sealed, at, amount: nano(15n) }]);
    expect(await totals(run)).toEqual([[15n, 80n]]);
    expect(await again.ledger.settle(lost, nano(30n), [])).toEqual({ charged: 30n, overrun: 0n });
    await again.ledger.release(mine);
    expect(await totals(run)).toEqual([[45n, 40n]]);
    await store.ledger.release(theirs);
    await again.close();
    rmSync(folder, { recursive: true });
  });
});
