import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CallId, type EpochMs, epochMs, type Nano, nano } from '../../gateway/domain/scalars.ts';
import type { Account, Ledger, Reservation, ReserveAnswer } from '../../gateway/ports/ledger.ts';
import { faultOf } from '../support/fault-of.ts';
import { LedgerModel } from './ledger-model.ts';

export interface OpenLedger {
  readonly ledger: Ledger;
  /** Where totals differ from what the hold records add up to. */
  audit(): Promise<readonly unknown[]>;
  /** Ends and starts again on the same state. */
  reopen(): Promise<OpenLedger>;
  close(): Promise<void>;
}

const MOST = 2n ** 63n - 1n;
const T0 = epochMs(1_790_000_000_000);
const at = (ms: number): EpochMs => epochMs(T0 + ms);
const usd = (amount: number): Nano => nano(BigInt(Math.round(amount * 1e9)));
const call = (n: number): CallId => `call_${String(n).padStart(26, '0')}` as CallId;

const account = (id: string, limit: bigint): Account => ({
  id,
  scope: 'run',
  window: 'total',
  limit: nano(limit),
  resetsAt: undefined,
});

function ask(n: number, accounts: readonly Account[], amount: bigint, least = amount): Reservation {
  return { id: call(n), at: at(n), accounts, amount: nano(amount), least: nano(least), lapsesAt: at(60_000) };
}

const granted = (answer: ReserveAnswer): bigint | undefined => (answer.granted ? answer.amount : undefined);

const faultCode = async (work: Promise<unknown>): Promise<string> => (await faultOf(work)).code;

export interface LedgerTraits {
  /** whether a call on which no budget applies is known after a restart, or to its own process only */
  readonly unbudgeted: 'kept' | 'own';
  /** whether every id that is over is known after a restart, or some to their own process only; default `kept` */
  readonly spent?: 'kept' | 'own';
}

/** What every ledger does (gateway/ports/ledger.ts, meter.md 3). */
export function ledgerContract(
  name: string,
  open: () => Promise<OpenLedger>,
  traits: LedgerTraits = { unbudgeted: 'kept' },
): void {
  describe(`ledger: ${name}`, () => {
    let store: OpenLedger;
    let ledger: Ledger;

    beforeEach(async () => {
      store = await open();
      ledger = store.ledger;
    });
    afterEach(async () => {
      expect(await store.audit()).toEqual([]);
      await store.close();
    });

    const totals = async (...accounts: readonly Account[]): Promise<readonly (readonly [bigint, bigint])[]> =>
      (await ledger.balances(accounts)).map(({ spent, held }) => [spent, held] as const);

    it('holds in every account, and reports what was there before', async () => {
      const [run, tenant] = [account('run', 100n), account('tenant', 1_000n)];
      const first = await ledger.reserve(ask(1, [run, tenant], 60n));
      expect(first).toMatchObject({ granted: true, amount: 60n, balances: [{ held: 0n }, { held: 0n }] });
      const second = await ledger.reserve(ask(2, [tenant], 5n));
      expect(second).toMatchObject({ granted: true, balances: [{ account: tenant, spent: 0n, held: 60n }] });
      expect(await totals(run, tenant)).toEqual([
        [0n, 60n],
        [0n, 65n],
      ]);
    });

    it('holds in none where one has no room, and names the tightest', async () => {
      const [wide, narrow] = [account('wide', 1_000n), account('narrow', 10n)];
      const answer = await ledger.reserve(ask(1, [wide, narrow], 11n));
      expect(answer).toMatchObject({ granted: false, left: 10n, short: { account: narrow, spent: 0n, held: 0n } });
      expect(await totals(wide, narrow)).toEqual([
        [0n, 0n],
        [0n, 0n],
      ]);
    });

    it.each([
      ['fits', 100n, 10n, 100n],
      ['does not fit but what is left is worth having', 101n, 100n, 100n],
      ['does not fit and what is left is worth less', 102n, 101n, undefined],
      ['is nothing', 0n, 0n, 0n],
    ])('grants what there is room for: the amount %s', async (_, amount, least, expected) => {
      const [narrow, wide] = [account('narrow', 100n), account('wide', 500n)];
      const answer = await ledger.reserve(ask(1, [wide, narrow], amount, least));
      expect(granted(answer)).toBe(expected);
      expect(await totals(wide, narrow)).toEqual([
        [0n, expected ?? 0n],
        [0n, expected ?? 0n],
      ]);
    });

    it('grants not even nothing where a charge passed the limit, and says 0 is left', async () => {
      const run = account('run', 100n);
      await ledger.reserve(ask(1, [run], 50n));
      expect(await ledger.settle(call(1), nano(130n), [run])).toEqual({ charged: 130n, overrun: 80n });
      expect(await ledger.reserve(ask(2, [run], 0n))).toMatchObject({ granted: false, left: 0n });
    });

    it('grants all of it where no budget applies, and still knows the call', async () => {
      expect(granted(await ledger.reserve(ask(1, [], 7n)))).toBe(7n);
      expect(await ledger.settle(call(1), nano(9n), [])).toEqual({ charged: 9n, overrun: 2n });
      expect(await faultCode(ledger.reserve(ask(1, [], 7n)))).toBe('TG_INTERNAL');
    });

    it('counts once in an account that two budgets share, and keeps to the tighter', async () => {
      const [tight, loose] = [account('same', 50n), account('same', 100n)];
      expect(granted(await ledger.reserve(ask(1, [loose, tight], 60n, 20n)))).toBe(50n);
      expect(await totals(tight)).toEqual([[0n, 50n]]);
      await ledger.settle(call(1), nano(40n), [loose, tight]);
      expect(await totals(tight)).toEqual([[40n, 0n]]);
    });

    it('answers a reserve whose reply was lost with the same, and holds once', async () => {
      const run = account('run', 100n);
      await ledger.reserve(ask(1, [run], 10n));
      expect(granted(await ledger.reserve(ask(2, [run], 95n, 50n)))).toBe(90n);
      await ledger.release(call(1));
      const again = await ledger.reserve(ask(2, [run], 95n, 50n));
      expect(again).toMatchObject({ granted: true, amount: 90n, balances: [{ spent: 0n, held: 0n }] });
      expect(await totals(run)).toEqual([[0n, 90n]]);
    });

    it('answers a refused reserve with the same, even if there is room by now', async () => {
      const run = account('run', 100n);
      await ledger.reserve(ask(1, [run], 100n));
      const refused = await ledger.reserve(ask(2, [run], 1n));
      await ledger.release(call(1));
      expect(await ledger.reserve(ask(2, [run], 1n))).toEqual(refused);
      expect(granted(await ledger.reserve(ask(3, [run], 1n)))).toBe(1n);
    });

    it.each(['settle', 'release', 'lapse'] as const)('never grants an id again after %s', async (end) => {
      const run = account('run', 100n);
      await ledger.reserve(ask(1, [run], 10n));
      if (end === 'settle') await ledger.settle(call(1), nano(4n), [run]);
      if (end === 'release') await ledger.release(call(1));
      if (end === 'lapse') await ledger.lapse(at(60_000));
      const before = await totals(run);
      expect(await faultCode(ledger.reserve(ask(1, [run], 10n)))).toBe('TG_INTERNAL');
      store = await store.reopen();
      ledger = store.ledger;
      expect(await faultCode(ledger.reserve(ask(1, [run], 10n)))).toBe('TG_INTERNAL');
      expect(await totals(run)).toEqual(before);
    });

    it('settles once: less refunds, more is charged and counted, a second settlement changes nothing', async () => {
      const run = account('run', 100n);
      await ledger.reserve(ask(1, [run], 50n));
      await ledger.reserve(ask(2, [run], 50n));
      expect(await ledger.settle(call(1), nano(30n), [run])).toEqual({ charged: 30n, overrun: 0n });
      expect(await ledger.settle(call(2), nano(55n), [run])).toEqual({ charged: 55n, overrun: 5n });
      expect(await ledger.settle(call(1), nano(30n), [run])).toEqual({ charged: 30n, overrun: 0n });
      expect(await ledger.settle(call(2), nano(1n), [run])).toEqual({ charged: 55n, overrun: 5n });
      await ledger.release(call(1));
      await ledger.renew(call(1), at(99_000));
      expect(await ledger.lapse(at(1e9))).toEqual([]);
      expect(await totals(run)).toEqual([[85n, 0n]]);
    });

    it('books a settlement where the hold was made, whatever accounts it names', async () => {
      const [monday, tuesday] = [account('day:1', 100n), account('day:2', 100n)];
      await ledger.reserve(ask(1, [monday], 50n));
      await ledger.settle(call(1), nano(20n), [tuesday]);
      expect(await totals(monday, tuesday)).toEqual([
        [20n, 0n],
        [0n, 0n],
      ]);
    });

    it('charges the settlement of an id it has lost, once', async () => {
      const [run, day] = [account('run', 100n), account('day', 100n)];
      expect(await ledger.settle(call(9), nano(30n), [run, day])).toMatchObject({ charged: 30n });
      expect(await ledger.settle(call(9), nano(30n), [run, day])).toMatchObject({ charged: 30n });
      expect(await totals(run, day)).toEqual([
        [30n, 0n],
        [30n, 0n],
      ]);
    });

    it('charges even what was released before: money that was spent is never lost', async () => {
      const run = account('run', 100n);
      await ledger.reserve(ask(1, [run], 50n));
      await ledger.release(call(1));
      expect(await ledger.settle(call(1), nano(20n), [run])).toEqual({ charged: 20n, overrun: 20n });
      expect(await totals(run)).toEqual([[20n, 0n]]);
    });

    it('releases once, and an unknown id without a word', async () => {
      const run = account('run', 100n);
      await ledger.reserve(ask(1, [run], 50n));
      await ledger.release(call(1));
      await ledger.release(call(1));
      await ledger.release(call(7));
      expect(await totals(run)).toEqual([[0n, 0n]]);
    });

    it('extends an open hold in all its accounts or in none, and never a closed one', async () => {
      const [run, tenant] = [account('run', 100n), account('tenant', 70n)];
      await ledger.reserve(ask(1, [run, tenant], 50n));
      expect(await ledger.extend(call(1), nano(60n), [run, tenant])).toBe(true);
      expect(await ledger.extend(call(1), nano(60n), [run, tenant])).toBe(true);
      expect(await ledger.extend(call(1), nano(55n), [run, tenant])).toBe(true);
      expect(await ledger.extend(call(1), nano(71n), [run, tenant])).toBe(false);
      expect(await totals(run, tenant)).toEqual([
        [0n, 60n],
        [0n, 60n],
      ]);
      expect(await ledger.settle(call(1), nano(65n), [run, tenant])).toEqual({ charged: 65n, overrun: 5n });
      expect(await ledger.extend(call(1), nano(66n), [run, tenant])).toBe(false);
      expect(await ledger.extend(call(2), nano(1n), [run])).toBe(false);
      expect(await totals(run, tenant)).toEqual([
        [65n, 0n],
        [65n, 0n],
      ]);
    });

    it('turns a lapsed hold into a charge; a late settlement corrects it once', async () => {
      const run = account('run', 100n);
      await ledger.reserve(ask(1, [run], 50n));
      expect(await ledger.lapse(at(59_999))).toEqual([]);
      expect(await ledger.lapse(at(60_000))).toEqual([{ id: call(1), amount: 50n }]);
      expect(await ledger.lapse(at(60_000))).toEqual([]);
      expect(await totals(run)).toEqual([[50n, 0n]]);
      expect(granted(await ledger.reserve(ask(2, [run], 51n)))).toBe(undefined);
      expect(await ledger.settle(call(1), nano(20n), [run])).toEqual({ charged: 20n, overrun: 0n });
      expect(await ledger.settle(call(1), nano(10n), [run])).toEqual({ charged: 20n, overrun: 0n });
      expect(await totals(run)).toEqual([[20n, 0n]]);
    });

    it('gives a lapsed hold back where it turns out that nothing was carried', async () => {
      const run = account('run', 100n);
      await ledger.reserve(ask(1, [run], 50n));
      await ledger.lapse(at(60_000));
      await ledger.release(call(1));
      expect(await totals(run)).toEqual([[0n, 0n]]);
    });

    it('keeps a renewed hold open until its new lease ends, shorter ones too', async () => {
      const run = account('run', 100n);
      await ledger.reserve(ask(1, [run], 10n));
      await ledger.reserve(ask(2, [run], 20n));
      expect(await ledger.lapse(at(500))).toEqual([]);
      await ledger.renew(call(1), at(120_000));
      await ledger.renew(call(2), at(1_000));
      expect(await ledger.lapse(at(1_000))).toEqual([{ id: call(2), amount: 20n }]);
      expect(await ledger.lapse(at(119_999))).toEqual([]);
      expect(await ledger.lapse(at(120_000))).toEqual([{ id: call(1), amount: 10n }]);
    });

    it('does nothing odd where the clock is stepped back', async () => {
      const run = account('run', 100n);
      await ledger.reserve(ask(50_000, [run], 10n));
      await ledger.lapse(at(200_000));
      await ledger.reserve({ ...ask(51_000, [run], 20n), at: at(-90_000), lapsesAt: at(-30_000) });
      expect(await ledger.lapse(at(-90_000))).toEqual([]);
      expect(await totals(run)).toEqual([[10n, 20n]]);
      expect(await ledger.lapse(at(-30_000))).toEqual([{ id: call(51_000), amount: 20n }]);
      expect(await totals(run)).toEqual([[30n, 0n]]);
    });

    it.each([2n ** 53n - 1n, 2n ** 53n, 2n ** 53n + 1n, 10n ** 14n + 1n, 2n ** 62n - 1n])(
      'counts to the nano-dollar around %s',
      async (large) => {
        const run = account('run', large * 2n);
        await ledger.reserve(ask(1, [run], large));
        await ledger.settle(call(1), nano(large), [run]);
        expect(granted(await ledger.reserve(ask(2, [run], large + 1n, 1n)))).toBe(large);
        expect(granted(await ledger.reserve(ask(3, [run], 1n)))).toBe(undefined);
        store = await store.reopen();
        ledger = store.ledger;
        expect(await totals(run)).toEqual([[large, large]]);
      },
    );

    it('refuses what it cannot count, and changes nothing', async () => {
      const endless = account('endless', 2n ** 70n);
      expect(await faultCode(ledger.reserve(ask(1, [endless], MOST + 1n)))).toBe('TG_LEDGER_UNAVAILABLE');
      expect(await faultCode(ledger.reserve(ask(2, [endless], -1n)))).toBe('TG_INTERNAL');
      expect(granted(await ledger.reserve(ask(3, [endless], MOST - 5n)))).toBe(MOST - 5n);
      expect(granted(await ledger.reserve(ask(4, [endless], 10n, 1n)))).toBe(5n);
      const [other] = [account('other', 100n)];
      expect(await faultCode(ledger.settle(call(5), nano(1n), [other, endless]))).toBe('TG_LEDGER_UNAVAILABLE');
      expect(await faultCode(ledger.settle(call(4), nano(6n), [endless]))).toBe('TG_LEDGER_UNAVAILABLE');
      expect(await faultCode(ledger.settle(call(4), nano(-6n), [endless]))).toBe('TG_INTERNAL');
      expect(await totals(endless, other)).toEqual([
        [0n, MOST],
        [0n, 0n],
      ]);
      expect(await ledger.settle(call(4), nano(5n), [endless])).toEqual({ charged: 5n, overrun: 0n });
    });

    it('gives 200 callers at once a cap for 10, exactly 10 times', async () => {
      const [run, tenant] = [account('run', usd(1)), account('tenant', usd(1_000))];
      const answers = await Promise.all(
        Array.from({ length: 200 }, (_, n) => ledger.reserve(ask(n, [tenant, run], usd(0.1)))),
      );
      const won = answers.flatMap((answer, n) => (answer.granted ? [n] : []));
      expect(won).toHaveLength(10);
      expect(answers.filter((answer) => !answer.granted && answer.short?.account.id === 'run')).toHaveLength(190);
      await Promise.all(won.map((n) => ledger.settle(call(n), usd(0.1), [tenant, run])));
      expect(await totals(run, tenant)).toEqual([
        [usd(1), 0n],
        [usd(1), 0n],
      ]);
    });

    it('knows everything after a restart', async () => {
      const run = account('run', 100n);
      await ledger.reserve(ask(1, [run], 10n));
      await ledger.reserve(ask(2, [run], 20n));
      await ledger.settle(call(2), nano(15n), [run]);
      store = await store.reopen();
      ledger = store.ledger;
      expect(await totals(run)).toEqual([[15n, 10n]]);
      expect(granted(await ledger.reserve(ask(1, [run], 99n)))).toBe(10n);
      expect(await ledger.lapse(at(60_000))).toEqual([{ id: call(1), amount: 10n }]);
    });

    it('is what a naive model says, over any interleaving', { timeout: 60_000 }, async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(stepOf(traits), { maxLength: 60 }), async (steps) => {
          const fresh = await open();
          await runAgainstModel(fresh, steps, traits);
        }),
        { numRuns: 150 },
      );
    });
  });
}

const ACCOUNTS = [account('a', 100n), account('b', 250n), account('c', 40n)];
const anId = fc.integer({ min: 0, max: 7 });
const amount = fc.bigInt({ min: 0n, max: 60n });
const time = fc.integer({ min: 0, max: 30 });
const accountsFor = ({ unbudgeted }: LedgerTraits): fc.Arbitrary<Account[]> =>
  fc.subarray(ACCOUNTS, { minLength: unbudgeted === 'kept' ? 0 : 1 });
const stepOf = (traits: LedgerTraits) =>
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        verb: fc.constant('reserve' as const),
        id: anId,
        amount,
        least: amount,
        on: accountsFor(traits),
        at: time,
        lease: time,
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ verb: fc.constant('settle' as const), id: anId, amount, on: accountsFor(traits) }),
    },
    { weight: 2, arbitrary: fc.record({ verb: fc.constant('release' as const), id: anId }) },
    { weight: 1, arbitrary: fc.record({ verb: fc.constant('renew' as const), id: anId, until: time }) },
    { weight: 1, arbitrary: fc.record({ verb: fc.constant('lapse' as const), at: time }) },
    { weight: 1, arbitrary: fc.record({ verb: fc.constant('reopen' as const) }) },
  );
type Step = ReturnType<typeof stepOf> extends fc.Arbitrary<infer S> ? S : never;

async function runAgainstModel(fresh: OpenLedger, steps: readonly Step[], traits: LedgerTraits): Promise<void> {
  let store = fresh;
  const model = new LedgerModel(ACCOUNTS);
  const used = new Map<number, number>();
  const idOf = (n: number): CallId => call(n + 10 * (used.get(n) ?? 0));
  for (const doing of steps) {
    const { ledger } = store;
    if (doing.verb === 'reserve') {
      const { id, on, at: now, lease } = doing;
      const request = {
        id: idOf(id),
        at: at(now),
        accounts: on,
        amount: nano(doing.amount),
        least: nano(doing.least),
        lapsesAt: at(now + lease),
      };
      const expected = model.reserve(request);
      const answer = expected === 'spent' ? await faultCode(ledger.reserve(request)) : await ledger.reserve(request);
      expect(typeof answer === 'string' ? 'spent' : granted(answer)).toBe(expected);
    } else if (doing.verb === 'settle') {
      const expected = model.settle(idOf(doing.id), doing.amount, doing.on);
      expect(await ledger.settle(idOf(doing.id), nano(doing.amount), doing.on)).toEqual(expected);
    } else if (doing.verb === 'release') {
      model.release(idOf(doing.id));
      await ledger.release(idOf(doing.id));
    } else if (doing.verb === 'renew') {
      model.renew(idOf(doing.id), at(doing.until));
      await ledger.renew(idOf(doing.id), at(doing.until));
    } else if (doing.verb === 'lapse') {
      const lapsed = await ledger.lapse(at(doing.at));
      const sorted = lapsed.map(({ id, amount }) => `${id} ${amount}`).sort();
      expect(sorted).toEqual(model.lapse(at(doing.at)));
    } else {
      store = await store.reopen();
      model.restart();
      // ids that are over are not used again where only their process knew them
      for (let n = 0; n < 8 && traits.spent === 'own'; n += 1)
        if (model.isOver(idOf(n))) used.set(n, (used.get(n) ?? 0) + 1);
    }
    const balances = await store.ledger.balances(ACCOUNTS);
    expect(balances.map(({ spent, held }) => [spent, held])).toEqual(ACCOUNTS.map(({ id }) => model.totals(id)));
    if (!model.overspent) for (const b of balances) expect(b.spent + b.held <= b.account.limit).toBe(true);
  }
  expect(await store.audit()).toEqual([]);
  await store.close();
}
