import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Fault } from '../../gateway/domain/fault.ts';
import { type CallId, epochMs, nano } from '../../gateway/domain/scalars.ts';
import type { Account, ReserveAnswer } from '../../gateway/ports/ledger.ts';
import type { RateAccount, RateWant } from '../../gateway/ports/rates.ts';
import type { RedisStore } from '../../gateway/stores/redis/open-redis.ts';
import { faultOf } from '../support/fault-of.ts';
import { startLossyLink } from '../support/lossy-link.ts';
import { lossyForSuite, redisForSuite } from '../support/redis-suite.ts';
import { account, freshCall, openShared, until, wanted } from '../support/shared-store.ts';
import { RateModel } from './rate-model.ts';

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

// a window so long that no slot of it leaves while a test runs
const rate = (limit: number, unit: RateAccount['unit'] = 'requests', id = `tenant:t:day:${unit}`): RateAccount => ({
  id,
  scope: 'tenant',
  window: 'day',
  unit,
  limit,
});
const want = (of: RateAccount, amount: number): RateWant => ({ account: of, amount });
const run = account('run:t/k/r:total:0', 100n);
const both = (requests = 10, tokens = 100): readonly RateWant[] => [
  want(rate(requests), 1),
  want(rate(1_000, 'tokens'), tokens),
];

/** What is counted, straight from Redis. */
async function counted(unit: RateAccount['unit'], tenant = 't'): Promise<number> {
  const slots = await suite.admin.hvals(`tollgate:{t.${tenant}}:rate:tenant:${tenant}:day:${unit}`);
  return slots.reduce((sum, amount) => sum + Number(amount), 0);
}
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const held = async (of: Account): Promise<bigint> => (await store.ledger.balances([of]))[0]?.held ?? 0n;
const reserve = (
  on: RedisStore,
  id: CallId,
  rates: readonly RateWant[],
  accounts: readonly Account[] = [run],
  amount = 10n,
): Promise<ReserveAnswer> => on.ledger.reserve(wanted(id, accounts, amount, { rates }));

describe('round trips', () => {
  it.each([
    ['money and rates', [run]],
    ['rates alone', []],
  ])('of a call with %s: one to reserve, one to settle or release, one where it is refused', async (_, accounts) => {
    const count = async (work: () => Promise<unknown>): Promise<number> => {
      const before = store.asked();
      await work();
      return store.asked() - before;
    };
    // the scripts are sent once
    for (const end of ['settle', 'release'] as const) {
      const id = freshCall();
      await reserve(store, id, both(3), accounts);
      if (end === 'settle') await store.ledger.settle(id, nano(1n), accounts, 7);
      else await store.ledger.release(id);
    }
    const [one, two] = [freshCall(), freshCall()];
    expect(await count(() => reserve(store, one, both(3), accounts))).toBe(1);
    expect(await count(() => store.ledger.settle(one, nano(7n), accounts, 30))).toBe(1);
    expect(await count(() => reserve(store, two, both(3), accounts))).toBe(1);
    const refused = async (): Promise<void> =>
      expect(await reserve(store, freshCall(), both(3), accounts)).toMatchObject({ granted: false });
    expect(await count(refused)).toBe(1);
    expect(await count(() => store.ledger.release(two))).toBe(1);
    expect(await counted('requests')).toBe(2);
    expect(await counted('tokens')).toBe(37);
  });
});

describe('what is kept', () => {
  it('expires where it is a rate, and a closed hold remembers nothing of rates', async () => {
    const [one, two] = [freshCall(), freshCall()];
    await reserve(store, one, both());
    await reserve(store, two, both());
    await store.ledger.settle(one, nano(1n), [run]);
    await store.ledger.release(two);
    for (const id of [one, two])
      expect(await suite.admin.hmget(`tollgate:{t.t}:h:${id}`, 'rates', 'at')).toEqual([null, null]);
    const rates = await suite.admin.keys('tollgate:{t.t}:rate:*');
    expect(rates).toHaveLength(2);
    for (const key of rates) expect(await suite.admin.ttl(key)).toBeGreaterThan(86_400);
  });

  it('is not made anew where it expired before the call ended', async () => {
    const [one, two] = [freshCall(), freshCall()];
    await reserve(store, one, both());
    await reserve(store, two, both());
    await suite.admin.del(...(await suite.admin.keys('tollgate:{t.t}:rate:*')));
    await store.ledger.settle(one, nano(1n), [run], 40);
    await store.ledger.release(two);
    expect(await suite.admin.keys('tollgate:{t.t}:rate:*')).toEqual([]);
  });

  it('is nothing where redis is short of memory', async () => {
    await reserve(store, freshCall(), both());
    await suite.admin.config('SET', 'maxmemory', '1');
    const refused = freshCall();
    expect((await faultOf(reserve(store, refused, both()))).code).toBe('TG_LEDGER_UNAVAILABLE');
    await suite.admin.config('SET', 'maxmemory', '0');
    await store.ledger.release(refused);
    expect([await counted('requests'), await counted('tokens'), await held(run)]).toEqual([1, 100, 10n]);
  });
});

describe('rates and budgets of several tenants', () => {
  const there = rate(1, 'requests', 'tenant:u:day:requests');

  it('take and hold everywhere or nowhere', async () => {
    const second = account('tenant:u:total:0', 50n);
    const rates = [...both(), want(there, 1)];
    expect(await reserve(store, freshCall(), rates, [run, second], 60n)).toMatchObject({ granted: false, left: 50n });
    expect([await counted('requests'), await counted('requests', 'u'), await held(run)]).toEqual([0, 0, 0n]);
    const id = freshCall();
    expect(await reserve(store, id, rates, [run, second], 20n)).toMatchObject({ granted: true, amount: 20n });
    const refused = await reserve(store, freshCall(), rates, [run, second], 20n);
    expect(refused).toMatchObject({ granted: false, rate: { account: there, left: 0 } });
    expect([await counted('requests'), await counted('requests', 'u'), await held(run)]).toEqual([1, 1, 20n]);
    await store.ledger.settle(id, nano(5n), [run, second], 40);
    expect([await counted('requests'), await counted('tokens'), await counted('requests', 'u')]).toEqual([1, 40, 1]);
  });
});

describe('lost replies', () => {
  const lossy = lossyForSuite(suite, run);

  it('a reserve whose answer is lost once takes once, and its caller notices nothing', async () => {
    const patient = await openShared(`redis://127.0.0.1:${lossy.link.port}`, { timeoutMs: 3_000 });
    await patient.ledger.reserve(wanted(freshCall(), [run], 0n));
    lossy.link.loseNext();
    expect(await reserve(patient, freshCall(), both(1))).toMatchObject({ granted: true });
    expect(await counted('requests')).toBe(1);
    await patient.close();
  });

  it.each(['silently', 'cut'] as const)('%s: a reserve that was done is asked again and takes once', async (how) => {
    const id = freshCall();
    lossy.link.lose(how);
    expect((await faultOf(reserve(lossy.store, id, both(1)))).code).toBe('TG_LEDGER_UNAVAILABLE');
    await until(async () => (await counted('requests')) === 1, 'the script ran');
    await lossy.heal();
    expect(await reserve(lossy.store, id, both(1))).toMatchObject({ granted: true, amount: 10n });
    expect([await counted('requests'), await counted('tokens'), await held(run)]).toEqual([1, 100, 10n]);
  });

  it.each(['silently', 'cut'] as const)('%s: what a reserve took that was given up comes back', async (how) => {
    const id = freshCall();
    lossy.link.lose(how);
    await faultOf(reserve(lossy.store, id, both(1), []));
    await lossy.store.ledger.release(id);
    await lossy.heal();
    expect([await counted('requests'), await counted('tokens')]).toEqual([0, 0]);
  });

  it.each(['silently', 'cut'] as const)('%s: a settlement corrects once', async (how) => {
    const id = freshCall();
    await reserve(lossy.store, id, both());
    lossy.link.lose(how);
    await lossy.store.ledger.settle(id, nano(5n), [run], 40);
    await lossy.store.ledger.settle(id, nano(5n), [run], 1);
    await lossy.heal();
    expect([await counted('requests'), await counted('tokens'), await held(run)]).toEqual([1, 40, 0n]);
  });

  it('a reserve that arrives after its release takes nothing', async () => {
    const id = freshCall();
    lossy.link.delay();
    await faultOf(reserve(lossy.store, id, both()));
    await lossy.store.ledger.release(id);
    await until(() => lossy.store.healthy() && lossy.store.ledger.pending() === 0, 'the release is delivered');
    lossy.link.heal();
    await pause(100);
    // on a crowded machine an answer may be late once more; it is never a grant
    const again = async (): Promise<string> => (await faultOf(reserve(lossy.store, id, both()))).code;
    await until(async () => (await again()) === 'TG_INTERNAL', 'the id is spent');
    expect([await counted('requests'), await counted('tokens')]).toEqual([0, 0]);
  });

  it('lost anywhere, once each: what naive counting says', { timeout: 60_000 }, async () => {
    const clock = { now: () => epochMs(1_790_000_000_000), ticks: () => performance.now() };
    const steps = fc.array(
      fc.record({
        verb: fc.constantFrom('reserve', 'reserve', 'settle', 'release'),
        id: fc.integer({ min: 0, max: 5 }),
        tokens: fc.integer({ min: 0, max: 60 }),
        amount: fc.bigInt({ min: 0n, max: 50n }),
        lost: fc.integer({ min: 0, max: 3 }).map((n) => n === 0),
      }),
      { minLength: 5, maxLength: 14 },
    );
    await fc.assert(
      fc.asyncProperty(steps, async (doing) => {
        await suite.admin.flushall();
        const url = `redis://127.0.0.1:${lossy.link.port}`;
        const patient = await openShared(url, { timeoutMs: 5_000, time: 'clock', clock });
        const model = new RateModel([run]);
        const ids = Array.from({ length: 6 }, freshCall);
        for (const { verb, id: n, tokens, amount, lost } of doing) {
          const id = ids[n] as CallId;
          if (lost) lossy.link.loseNext();
          if (verb === 'reserve') {
            const rates = [want(rate(3), 1), want(rate(100, 'tokens'), tokens)];
            const request = wanted(id, [run], amount, { rates, at: clock.now(), lapsesAt: epochMs(clock.now() + 9e6) });
            const answer = await patient.ledger.reserve(request).catch((error: Fault) => error.code);
            expect(brief(answer)).toEqual(model.reserve(request, clock.now()));
          } else if (verb === 'settle') {
            const expected = model.settle(id, amount, [run], tokens);
            expect(await patient.ledger.settle(id, nano(amount), [run], tokens)).toEqual(expected);
          } else {
            model.release(id);
            await patient.ledger.release(id);
          }
          // a lost reply that nobody waited for loses nothing later
          lossy.link.heal();
          const units = ['requests', 'tokens'] as const;
          expect(await Promise.all(units.map((unit) => counted(unit)))).toEqual(
            units.map((unit) => model.sum(rate(0, unit).id, clock.now())),
          );
        }
        const [balance] = await patient.ledger.balances([run]);
        expect([balance?.spent, balance?.held]).toEqual(model.money.totals(run.id));
        await patient.close();
      }),
      { numRuns: 20 },
    );
  });
});

function brief(answer: ReserveAnswer | string): unknown {
  if (typeof answer === 'string') return answer === 'TG_INTERNAL' ? 'spent' : answer;
  return answer.granted ? answer.amount : answer.rate;
}

describe('while redis is away', () => {
  it('refuses a call that a rate applies to, as one with a budget', async () => {
    const link = await startLossyLink(suite.redis.port);
    const own = await openShared(`redis://127.0.0.1:${link.port}`);
    link.partition();
    expect((await faultOf(reserve(own, freshCall(), both(), []))).code).toBe('TG_LEDGER_UNAVAILABLE');
    expect(await own.ledger.reserve(wanted(freshCall(), [], 5n))).toMatchObject({ granted: true });
    link.heal();
    await until(() => own.healthy(), 'the link is back');
    await own.close();
    await link.close();
  });

  it('counts no rate on the local allowance', async () => {
    const link = await startLossyLink(suite.redis.port);
    const own = await openShared(`redis://127.0.0.1:${link.port}`, { allowance: nano(100n) });
    link.partition();
    const id = freshCall();
    expect(await reserve(own, id, both(1))).toMatchObject({ granted: true, amount: 10n });
    expect(await reserve(own, freshCall(), both(1), [run], 95n).catch((error: Fault) => error.code)).toBe(
      'TG_LEDGER_UNAVAILABLE',
    );
    await own.ledger.settle(id, nano(4n), [run], 40);
    link.heal();
    await until(() => own.ledger.pending() === 0, 'everything is delivered');
    expect((await store.ledger.balances([run]))[0]).toMatchObject({ spent: 4n, held: 0n });
    expect(await counted('tokens')).toBe(0);
    await own.close();
    await link.close();
  });
});

describe('a gateway that starts again', () => {
  it('gives back what a call took that was never carried, and corrects one that was', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tollgate-again-'));
    const first = await openShared(suite.redis.url, { folder });
    const [stray, carried] = [freshCall(), freshCall()];
    await reserve(first, stray, both(), []);
    await reserve(first, carried, both(), []);
    await first.close();
    const again = await openShared(suite.redis.url, { folder });
    expect(new Set(await again.ledger.openHolds())).toEqual(new Set([stray, carried]));
    await again.ledger.release(stray);
    await again.ledger.settle(carried, nano(10n), [], 30);
    expect([await counted('requests'), await counted('tokens')]).toEqual([1, 30]);
    await again.close();
    rmSync(folder, { recursive: true });
  });
});
