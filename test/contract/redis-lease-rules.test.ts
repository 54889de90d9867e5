import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Fault } from '../../gateway/domain/fault.ts';
import { type CallId, epochMs, nano } from '../../gateway/domain/scalars.ts';
import type { Account } from '../../gateway/ports/ledger.ts';
import type { RedisOptions, RedisStore } from '../../gateway/stores/redis/open-redis.ts';
import { redisForSuite } from '../support/redis-suite.ts';
import { account, freshCall, openShared, until, wanted } from '../support/shared-store.ts';

const suite = redisForSuite();
let plain: RedisStore;
let open: RedisStore[] = [];

beforeEach(async () => {
  plain = await openShared(suite.redis.url);
});
afterEach(async () => {
  for (const store of open) await store.close();
  open = [];
  expect(await plain.audit()).toEqual([]);
  await plain.close();
});

type Options = Partial<RedisOptions> & { readonly folder?: string };
/** A gateway that leases from its first question on. */
async function lessee(leases: RedisOptions['leases'] = {}, options: Options = {}): Promise<RedisStore> {
  const terms = { ms: 60_000, after: 1, restMs: 0, ...leases };
  const store = await openShared(suite.redis.url, { timeoutMs: 2_000, leases: terms, ...options });
  open.push(store);
  return store;
}

/** What Redis itself counts. */
const raw = async (...accounts: readonly Account[]): Promise<readonly (readonly [bigint, bigint])[]> =>
  (await plain.ledger.balances(accounts)).map(({ spent, held }) => [spent, held] as const);
const seen = async (store: RedisStore, of: Account): Promise<readonly [bigint, bigint]> => {
  const [balance] = await store.ledger.balances([of]);
  return [balance?.spent ?? -1n, balance?.held ?? -1n];
};
const leasesOf = async (): Promise<string[]> => (await suite.admin.keys('tollgate:*:h:lease_*')).sort();

/** A call that is granted, comes to `charge`, and is over. */
async function carried(store: RedisStore, on: readonly Account[], amount: bigint, charge: bigint): Promise<boolean> {
  const id = freshCall();
  const answer = await store.ledger.reserve(wanted(id, on, amount));
  if (answer.granted) await store.ledger.settle(id, nano(charge), on);
  return answer.granted;
}

/** A call that was granted out of a lease, however long that takes; the calls before it came to nothing. */
async function leased(store: RedisStore, on: Account, amount: bigint): Promise<CallId> {
  let id = freshCall();
  await until(async () => {
    id = freshCall();
    const answer = await store.ledger.reserve(wanted(id, [on], amount));
    if (answer.granted && answer.leases) return true;
    await store.ledger.release(id);
    return false;
  }, 'a call is granted out of a lease');
  return id;
}

describe('what leases save', () => {
  it('most calls ask nothing, and few questions are asked in all', async () => {
    const store = await lessee();
    const on = [account('tenant:t:total:0', 10n ** 9n), account('run:t/k/r:total:0', 10n ** 9n)];
    await carried(store, on, 1_000n, 700n);
    await store.ledger.quiet();
    const before = store.asked();
    let silent = 0;
    for (let i = 0; i < 400; i += 1) {
      const asked = store.asked();
      await carried(store, on, 1_000n, 700n);
      if (store.asked() === asked) silent += 1;
    }
    expect(silent).toBeGreaterThan(300);
    expect(store.asked() - before).toBeLessThan(60);
    await store.close();
    expect(await raw(...on)).toEqual([
      [700n * 401n, 0n],
      [700n * 401n, 0n],
    ]);
  });

  it('a call asks at most once, whatever there is of leases', async () => {
    const store = await lessee();
    const [tenant, run] = [account('tenant:t:total:0', 10_000n), account('run:t/k/r:total:0', 10_000n)];
    await carried(store, [tenant], 10n, 10n);
    await store.ledger.quiet();
    // one account has a lease and the other has none
    const id = freshCall();
    const asked = store.asked();
    const answering = store.ledger.reserve(wanted(id, [tenant, run], 10n));
    expect(store.asked() - asked).toBeLessThanOrEqual(1);
    expect(await answering).toMatchObject({ granted: true, amount: 10n });
  });

  it('says what is spent and held as it is, leases aside', async () => {
    const store = await lessee();
    const on = account('run:t/k/r:total:0', 10_000n);
    await carried(store, [on], 10n, 7n);
    await store.ledger.quiet();
    const id = freshCall();
    expect(await store.ledger.reserve(wanted(id, [on], 30n))).toMatchObject({
      granted: true,
      balances: [{ spent: 7n, held: 0n }],
      leases: [expect.stringMatching(/^lease_/)],
    });
    expect(await seen(store, on)).toEqual([7n, 30n]);
    expect((await raw(on))[0]?.[1]).toBeGreaterThan(30n);
    await store.ledger.settle(id, nano(9n), [on]);
    expect(await seen(store, on)).toEqual([16n, 0n]);
  });

  it('is filled for what calls need of it, however many come while redis is asked', async () => {
    const store = await lessee();
    const on = account('run:t/k/r:total:0', 10n ** 9n);
    await carried(store, [on], 100n, 100n);
    await store.ledger.quiet();
    expect(await raw(on)).toEqual([[100n, 800n]]);
    suite.redis.freeze();
    for (let i = 0; i < 8; i += 1) {
      const answer = await store.ledger.reserve(wanted(freshCall(), [on], 100n));
      expect(answer).toMatchObject({ granted: true, leases: [expect.stringMatching(/^lease_/)] });
      // what is to be said to redis is on its way
      await setImmediate();
    }
    suite.redis.thaw();
    await store.ledger.quiet();
    const [[, held] = [0n, 0n]] = await raw(on);
    expect(held).toBeGreaterThan(800n);
    // twice as large as the one that was used up, once
    expect(held).toBeLessThanOrEqual(800n + 1600n);
  });

  it('grows from what it came to, however often it was used up where little is left', async () => {
    const store = await lessee();
    const [small, large] = [10_000n, 10n ** 12n].map((limit) => account('run:t/k/r:total:0', limit));
    if (!small || !large) throw new Error('unreachable');
    for (let i = 0; i < 200; i += 1) {
      await store.ledger.reserve(wanted(freshCall(), [small], 10n));
      await store.ledger.quiet();
    }
    const [, before] = (await raw(small))[0] ?? [0n, 0n];
    expect(before).toBeLessThanOrEqual(2_000n + 8_000n / 16n);
    // the limit was raised: a call that does not fit is asked for, and the lease is filled
    expect(await carried(store, [large], before, 0n)).toBe(true);
    await store.ledger.quiet();
    const [, after] = (await raw(large))[0] ?? [0n, 0n];
    expect(after).toBeLessThanOrEqual(8n * before);
  });

  it('takes nothing near the wall: less than what two calls of a part of what is left need', async () => {
    const store = await lessee();
    const on = account('run:t/k/r:total:0', 300n);
    for (let i = 0; i < 5; i += 1) expect(await carried(store, [on], 10n, 10n)).toBe(true);
    await store.ledger.quiet();
    expect(await leasesOf()).toEqual([]);
    expect(await raw(on)).toEqual([[50n, 0n]]);
  });
});

describe('several gateways', () => {
  const on = account('tenant:t:total:0', 1_000n);

  it('no phantom denial: what one leases and does not use, the other gets to the last nano-dollar', async () => {
    const [one, two] = [await lessee({ share: 1, calls: 1_000 }), await lessee()];
    await carried(one, [on], 10n, 10n);
    await one.ledger.quiet();
    expect(await raw(on)).toEqual([[10n, 990n]]);
    const under = freshCall();
    await one.ledger.reserve(wanted(under, [on], 90n));
    expect(await two.ledger.reserve(wanted(freshCall(), [on], 901n))).toMatchObject({ granted: false, left: 900n });
    expect(await two.ledger.reserve(wanted(freshCall(), [on], 900n))).toMatchObject({ granted: true, amount: 900n });
    expect(await raw(on)).toEqual([[10n, 990n]]);
    await one.ledger.settle(under, nano(50n), [on]);
    expect(await two.ledger.reserve(wanted(freshCall(), [on], 40n))).toMatchObject({ granted: true });
    expect(await two.ledger.reserve(wanted(freshCall(), [on], 1n))).toMatchObject({ granted: false, left: 0n });
  });

  it('nor a phantom clamp', async () => {
    const [one, two] = [await lessee({ share: 1, calls: 1_000 }), await lessee()];
    await carried(one, [on], 10n, 10n);
    await one.ledger.quiet();
    const clamped = await two.ledger.reserve(wanted(freshCall(), [on], 2_000n, { least: nano(1n) }));
    expect(clamped).toMatchObject({ granted: true, amount: 990n });
  });

  it('nor one of an edit that makes a call dearer', async () => {
    const [one, two] = [await lessee({ share: 1, calls: 1_000 }), await lessee({ after: 100 })];
    const id = freshCall();
    await two.ledger.reserve(wanted(id, [on], 10n));
    await carried(one, [on], 10n, 10n);
    await one.ledger.quiet();
    expect(await two.ledger.extend(id, nano(990n), [on])).toBe(true);
    expect(await two.ledger.extend(id, nano(991n), [on])).toBe(false);
  });

  it('asks back only what is short, and only of whom leases it', async () => {
    const run = account('run:t/k/r:total:0', 100n);
    const [one, two] = [await lessee({ share: 2, calls: 4 }), await lessee({ after: 100 })];
    await carried(one, [on], 10n, 10n);
    await one.ledger.quiet();
    const leases = await leasesOf();
    expect(leases).toHaveLength(1);
    expect(await two.ledger.reserve(wanted(freshCall(), [on, run], 101n))).toMatchObject({
      granted: false,
      left: 100n,
    });
    expect(await leasesOf()).toEqual(leases);
    expect(await one.ledger.reserve(wanted(freshCall(), [on], 10n))).toHaveProperty('leases');
  });

  it('does not mind what strangers say where gateways speak', async () => {
    const store = await lessee();
    await carried(store, [on], 10n, 10n);
    for (const text of ['', '{', '7', 'null', '[1]', `["someone","${on.id}"]`])
      await suite.admin.publish('tollgate:leases:wanted', text);
    await until(async () => (await raw(on))[0]?.[1] === 0n, 'it gave back what was asked for last');
    expect(await carried(store, [on], 10n, 10n)).toBe(true);
  });

  it('refuses in one question where nobody leases', async () => {
    const [one, two] = [await lessee(), await lessee({ after: 100 })];
    for (let i = 0; i < 98; i += 1) await carried(one, [on], 10n, 10n);
    await one.ledger.giveBack([on.id]);
    await carried(two, [on], 15n, 15n);
    const before = two.asked();
    expect(await two.ledger.reserve(wanted(freshCall(), [on], 6n))).toMatchObject({ granted: false, left: 5n });
    expect(two.asked() - before).toBe(1);
  });

  it('200 callers of both at once get exactly what there is', async () => {
    const both = [await lessee(), await lessee()];
    for (const store of both) await carried(store, [on], 10n, 0n);
    await Promise.all(both.map((store) => store.ledger.quiet()));
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, n) => both[n % 2]?.ledger.reserve(wanted(freshCall(), [on], 10n))),
    );
    expect(answers.filter((answer) => answer?.granted)).toHaveLength(100);
    expect(await raw(on)).toEqual([[0n, 1_000n]]);
  });

  it('one that is silent is waited for once, and then its lease is what it is', async () => {
    const recalls: boolean[] = [];
    const folder = mkdtempSync(join(tmpdir(), 'tollgate-silent-'));
    // a process that died: its lease stands, and nobody hears
    const dead = await openShared(suite.redis.url, {
      folder,
      leases: { ms: 60_000, after: 1, share: 2, calls: 1_000 },
    });
    await carried(dead, [on], 10n, 10n);
    await dead.ledger.quiet();
    const two = await lessee({}, { timeoutMs: 200, onRecall: (returned) => void recalls.push(returned) });
    dead.ledger.giveBack = async () => undefined;
    const left = 1_000n - 10n - 495n;
    expect(await two.ledger.reserve(wanted(freshCall(), [on], left + 1n))).toMatchObject({ granted: false, left });
    const before = two.asked();
    expect(await two.ledger.reserve(wanted(freshCall(), [on], left + 1n))).toMatchObject({ granted: false, left });
    // reserve, who leases, the question to them, reserve: no waiting in between
    expect(two.asked() - before).toBeLessThanOrEqual(4);
    expect(recalls).toEqual([false, false]);
    // its restart gives everything back
    const again = await openShared(suite.redis.url, { folder, leases: { ms: 60_000 } });
    for (const id of await again.ledger.leases.open())
      await again.ledger.leases.settle({ id, account: undefined, at: epochMs(0), calls: new Map() });
    expect(await raw(on)).toEqual([[10n, 0n]]);
    await again.close();
    rmSync(folder, { recursive: true });
  });
});

describe('redis gone, restarted, robbed of its data', () => {
  const on = account('run:t/k/r:total:0', 100_000n);

  it('a lease goes on while redis is silent, up to what it holds, and what came of it is told later', async () => {
    const store = await lessee({}, { timeoutMs: 200 });
    await carried(store, [on], 100n, 100n);
    await store.ledger.quiet();
    suite.redis.freeze();
    let granted = 0;
    for (let i = 0; i < 20; i += 1) {
      const id = freshCall();
      const answer = await store.ledger.reserve(wanted(id, [on], 100n)).catch((error: unknown) => error);
      if (answer instanceof Fault) {
        await store.ledger.release(id);
        continue;
      }
      granted += 1;
      await store.ledger.settle(id, nano(60n), [on]);
    }
    suite.redis.thaw();
    // 8 calls fit at once, and what they give back is room for a few more
    expect(granted).toBeGreaterThanOrEqual(8);
    await until(() => store.healthy() && store.ledger.pending() === 0, 'redis was told');
    await store.close();
    expect(await raw(on)).toEqual([[100n + 60n * BigInt(granted), 0n]]);
  });

  it('kill -9 of redis loses nothing', async () => {
    const store = await lessee({}, { timeoutMs: 300 });
    await carried(store, [on], 100n, 100n);
    await store.ledger.quiet();
    const under = freshCall();
    await store.ledger.reserve(wanted(under, [on], 100n));
    await suite.redis.kill();
    await store.ledger.settle(under, nano(40n), [on]);
    await suite.redis.start();
    await until(() => store.healthy() && store.ledger.pending() === 0, 'redis was told');
    expect(await raw(on)).toEqual([[140n, 0n]]);
  });

  it('a redis that lost its data is told again of what calls hold and came to', async () => {
    const store = await lessee({}, { timeoutMs: 300 });
    await carried(store, [on], 100n, 100n);
    await store.ledger.quiet();
    const [over, under] = [freshCall(), freshCall()];
    for (const id of [over, under])
      expect(await store.ledger.reserve(wanted(id, [on], 100n))).toMatchObject({ granted: true });
    await store.ledger.settle(over, nano(70n), [on]);
    await suite.redis.kill();
    suite.redis.wipe();
    await suite.redis.start();
    await until(() => store.healthy() && store.ledger.pending() === 0, 'redis was told');
    // the lease is as it was, the first call, which had asked by itself, is forgotten
    expect(await raw(on)).toEqual([[0n, 170n]]);
    await store.ledger.settle(under, nano(50n), [on]);
    await until(() => store.ledger.pending() === 0, 'redis was told');
    expect(await raw(on)).toEqual([[120n, 0n]]);
  });

  it('a lease that lapsed in an outage is charged what its calls came to, once they are over', async () => {
    const store = await lessee();
    await carried(store, [on], 100n, 100n);
    await store.ledger.quiet();
    const under = freshCall();
    await store.ledger.reserve(wanted(under, [on], 100n));
    await plain.ledger.lapse(epochMs(Date.now() + 10 ** 9));
    expect((await raw(on))[0]?.[1]).toBe(0n);
    await store.ledger.settle(under, nano(30n), [on]);
    await store.close();
    expect(await raw(on)).toEqual([[130n, 0n]]);
  });
});

describe('calls that do not fit their lease', () => {
  const on = account('run:t/k/r:total:0', 100_000n);

  it('outlast it: they get holds of their own, renewed for as long as they like', async () => {
    const store = await lessee({ ms: 100 });
    await carried(store, [on], 100n, 100n);
    const id = await leased(store, on, 100n);
    await store.ledger.renew(id, epochMs(Date.now() + 26 * 3_600_000));
    await until(
      async () => (await suite.admin.hget(`tollgate:{t.t}:h:${id}`, 'state')) === 'open',
      'it has its own hold',
    );
    await until(() => store.ledger.pending() === 0, 'its lease is over');
    expect(await raw(on)).toEqual([[100n, 100n]]);
    expect(Number(await suite.admin.zscore('tollgate:{t.t}:leases', id))).toBeGreaterThan(Date.now() + 25 * 3_600_000);
    expect(await store.ledger.settle(id, nano(130n), [on])).toEqual({ charged: 130n, overrun: 30n });
    expect(await store.ledger.settle(id, nano(1n), [on])).toEqual({ charged: 130n, overrun: 30n });
    expect(await raw(on)).toEqual([[230n, 0n]]);
  });

  it('come to more than it holds: the rest is charged at once, whatever the limit says', async () => {
    const store = await lessee();
    await carried(store, [on], 100n, 100n);
    await store.ledger.quiet();
    const id = freshCall();
    await store.ledger.reserve(wanted(id, [on], 100n));
    expect(await store.ledger.settle(id, nano(99_999n), [on])).toEqual({ charged: 99_999n, overrun: 99_899n });
    await until(() => store.ledger.pending() === 0, 'it is told');
    expect(await raw(on)).toEqual([[100_099n, 0n]]);
    expect(await carried(store, [on], 1n, 1n)).toBe(false);
  });

  it('grow beyond it: they leave it and grow by themselves', async () => {
    const store = await lessee();
    await carried(store, [on], 100n, 100n);
    await store.ledger.quiet();
    const id = freshCall();
    await store.ledger.reserve(wanted(id, [on], 100n));
    expect(await store.ledger.extend(id, nano(150n), [on])).toBe(true);
    expect(await store.ledger.extend(id, nano(90_000n), [on])).toBe(true);
    expect(await seen(store, on)).toEqual([100n, 90_000n]);
    expect(await store.ledger.extend(id, nano(99_901n), [on])).toBe(false);
    expect(await store.ledger.extend(id, nano(99_900n), [on])).toBe(true);
    await store.ledger.settle(id, nano(5n), [on]);
    await store.close();
    expect(await raw(on)).toEqual([[105n, 0n]]);
  });

  it('are charged by themselves where redis has no memory left, once it has some', async () => {
    const store = await lessee();
    await carried(store, [on], 100n, 100n);
    await store.ledger.quiet();
    const id = freshCall();
    await store.ledger.reserve(wanted(id, [on], 100n));
    await suite.admin.config('SET', 'maxmemory', '1');
    expect(await store.ledger.settle(id, nano(40n), [on])).toEqual({ charged: 40n, overrun: 0n });
    await store.ledger.giveBack([on.id]);
    await suite.admin.config('SET', 'maxmemory', '0');
    await store.close();
    expect(await raw(on)).toEqual([[140n, 0n]]);
  });
});

describe('a record is kept', () => {
  const on = account('run:t/k/r:total:0', 100_000n);

  it('what a call gives back is room for others only when its receipt is in the record', async () => {
    const store = await lessee({ calls: 2, share: 1 }, { recordLine: () => 41 });
    await carried(store, [on], 100n, 100n);
    await store.ledger.quiet();
    const [first, second] = [freshCall(), freshCall()];
    const answer = await store.ledger.reserve(wanted(first, [on], 150n));
    expect(answer).toMatchObject({ leases: [expect.stringMatching(/^lease_41_/)] });
    await store.ledger.quiet();
    await store.ledger.settle(first, nano(0n), [on]);
    expect((await raw(on))[0]?.[1]).toBeGreaterThanOrEqual(150n);
    store.ledger.sealed(first);
    expect(await store.ledger.reserve(wanted(second, [on], 150n))).toHaveProperty('leases');
    await store.ledger.settle(second, nano(3n), [on]);
    store.ledger.sealed(second);
    await store.close();
    expect(await raw(on)).toEqual([[103n, 0n]]);
  });

  it('a call whose receipt never comes is charged by itself, so that a restart finds what it came to', async () => {
    const store = await lessee({ ms: 80 }, { recordLine: () => 0 });
    await carried(store, [on], 100n, 100n);
    const id = await leased(store, on, 100n);
    await store.ledger.settle(id, nano(40n), [on]);
    await until(
      async () => (await suite.admin.hget(`tollgate:{t.t}:h:${id}`, 'state')) === 'settled',
      'it has its own record',
    );
    expect(await plain.ledger.settle(id, nano(100n), [])).toEqual({ charged: 40n, overrun: 0n });
    await until(() => store.ledger.pending() === 0, 'its lease is over');
    expect(await raw(on)).toEqual([[140n, 0n]]);
  });

  it('a restart charges what was left, each call once, and those with holds of their own by themselves', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tollgate-left-'));
    const dead = await openShared(suite.redis.url, { folder, leases: { ms: 60_000, after: 1 }, recordLine: () => 0 });
    await carried(dead, [on], 100n, 100n);
    await dead.ledger.quiet();
    const [over, under, alone, never] = [freshCall(), freshCall(), freshCall(), freshCall()] as const;
    const granted = async (id: CallId): Promise<string> => {
      const answer = await dead.ledger.reserve(wanted(id, [on], 100n));
      return (answer.granted && answer.leases?.[0]) || '';
    };
    const lease = await granted(over);
    for (const id of [under, alone, never]) expect(await granted(id)).toBe(lease);
    await dead.ledger.settle(over, nano(60n), [on]);
    const again = await openShared(suite.redis.url, { folder });
    await again.ledger.leases.takeOut({
      id: alone,
      amount: nano(100n),
      accounts: [on.id],
      leases: [lease],
      lapsesAt: epochMs(Date.now() + 60_000),
    });
    const calls = new Map([
      [over, nano(60n)],
      [under, nano(100n)],
      [alone, nano(100n)],
    ]);
    expect(await again.ledger.leases.open()).toEqual([lease]);
    for (let i = 0; i < 2; i += 1)
      await again.ledger.leases.settle({ id: lease, account: on.id, at: epochMs(Date.now()), calls });
    expect(await raw(on)).toEqual([[260n, 100n]]);
    expect(await again.ledger.openHolds()).toEqual([alone]);
    await again.ledger.settle(alone, nano(1n), []);
    expect(await raw(on)).toEqual([[261n, 0n]]);
    // the same once more, for a redis that knows nothing of it
    await suite.admin.flushall();
    await again.ledger.leases.settle({ id: lease, account: on.id, at: epochMs(Date.now()), calls });
    expect(await raw(on)).toEqual([[260n, 0n]]);
    await again.close();
    rmSync(folder, { recursive: true });
  });
});
