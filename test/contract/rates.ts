import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Fault } from '../../gateway/domain/fault.ts';
import { type CallId, epochMs, nano } from '../../gateway/domain/scalars.ts';
import type { Account, Ledger, Reservation, ReserveAnswer } from '../../gateway/ports/ledger.ts';
import type { RateAccount, RateShort } from '../../gateway/ports/rates.ts';
import { RateModel } from './rate-model.ts';

export interface OpenRates {
  readonly ledger: Ledger;
  /** the store is told this time from now on */
  setNow(ms: number): void;
  /** the same store, closed and opened again */
  reopen(): Promise<OpenRates>;
  close(): Promise<void>;
}

const T0 = 1_790_000_000_000;
const MINUTE = 60_000;
const DAY = 86_400_000;
/** a window leaves whole slots */
const SLOT = 1_000;

const rate = (limit: number, unit: RateAccount['unit'] = 'requests', of = 'bot'): RateAccount => ({
  id: `agent:acme/k1/${of}:minute:${unit}`,
  scope: 'agent',
  window: 'minute',
  unit,
  limit,
});

const budget = (limit: bigint, id = 'tenant:acme:total:0'): Account => ({
  id,
  scope: 'tenant',
  window: 'total',
  limit: nano(limit),
  resetsAt: undefined,
});

let made = 0;
const freshCall = (): CallId => {
  made += 1;
  return `call_${`r${String(made).padStart(8, '0')}`.padStart(26, '0')}` as CallId;
};

type Wants = readonly (readonly [RateAccount, number])[];

const asked = (id: CallId, at: number, wants: Wants, accounts: readonly Account[] = [], amount = 0n): Reservation => ({
  id,
  at: epochMs(at),
  accounts,
  rates: wants.map(([account, amount]) => ({ account, amount })),
  amount: nano(amount),
  least: nano(amount),
  lapsesAt: epochMs(at + DAY),
});

const shortOf = (answer: ReserveAnswer): RateShort | undefined => (answer.granted ? undefined : answer.rate);

/** What every ledger does with rates (gateway/ports/ledger.ts, meter.md 3.2). */
export function ratesContract(name: string, open: () => Promise<OpenRates>): void {
  describe(`rates: ${name}`, () => {
    let store: OpenRates;
    const reserve = (at: number, ...wants: Wants) => {
      store.setNow(at);
      const id = freshCall();
      return store.ledger.reserve(asked(id, at, wants)).then((answer) => ({ ...answer, id }));
    };
    const totals = async (...accounts: readonly Account[]): Promise<readonly (readonly [bigint, bigint])[]> =>
      (await store.ledger.balances(accounts)).map(({ spent, held }) => [spent, held] as const);

    beforeEach(async () => {
      store = await open();
    });
    afterEach(() => store.close());

    it('grants up to the limit and says when there is room again', async () => {
      for (let i = 0; i < 3; i += 1)
        expect(await reserve(T0 + i * 10_000, [rate(3), 1])).toMatchObject({ granted: true });
      const refused = await reserve(T0 + 30_000, [rate(3), 1]);
      expect(refused).toMatchObject({ granted: false, rate: { left: 0, account: rate(3) } });
      const wait = shortOf(refused)?.retryAfterMs as number;
      expect(wait).toBeGreaterThanOrEqual(30_000);
      expect(wait).toBeLessThanOrEqual(30_000 + SLOT);
      expect(await reserve(T0 + 30_000 + wait - 1, [rate(3), 1])).toMatchObject({ granted: false });
      expect(await reserve(T0 + 30_000 + wait, [rate(3), 1])).toMatchObject({ granted: true });
    });

    it('takes from all accounts or from none', async () => {
      const wide = rate(100, 'tokens');
      expect(await reserve(T0, [wide, 60], [rate(1), 1])).toMatchObject({ granted: true });
      expect(await reserve(T0, [wide, 30], [rate(1), 1])).toMatchObject({ granted: false, rate: { account: rate(1) } });
      expect(await reserve(T0, [wide, 41])).toMatchObject({ granted: false, rate: { left: 40 } });
      expect(await reserve(T0, [wide, 40])).toMatchObject({ granted: true });
    });

    it('gives back what was not carried, and what was not used', async () => {
      const tokens = rate(100, 'tokens');
      const first = await reserve(T0, [tokens, 100], [rate(2), 1]);
      expect(await reserve(T0, [tokens, 1])).toMatchObject({ granted: false });
      await store.ledger.settle(first.id, nano(0n), [], 30);
      const second = await reserve(T0, [tokens, 70], [rate(2), 1]);
      expect(second).toMatchObject({ granted: true });
      expect(await reserve(T0, [rate(2), 1])).toMatchObject({ granted: false });
      await store.ledger.release(second.id);
      expect(await reserve(T0, [tokens, 70], [rate(2), 1])).toMatchObject({ granted: true });
    });

    it('takes once for a call, whatever is asked again', async () => {
      store.setNow(T0);
      const request = asked(freshCall(), T0, [[rate(1), 1]]);
      expect(await store.ledger.reserve(request)).toMatchObject({ granted: true });
      expect(await store.ledger.reserve(request)).toMatchObject({ granted: true });
      await store.ledger.release(request.id);
      await store.ledger.release(request.id);
      expect(await reserve(T0, [rate(1), 1])).toMatchObject({ granted: true });
      expect(await reserve(T0, [rate(1), 1])).toMatchObject({ granted: false });
    });

    it('says never where the call alone is more than the limit', async () => {
      const answer = await reserve(T0, [rate(10, 'tokens'), 11]);
      expect(answer).toMatchObject({ granted: false, rate: { retryAfterMs: undefined } });
    });

    it('never lets more than the limit through in any minute, wherever it begins', async () => {
      let run = 0;
      const steps = fc.array(fc.tuple(fc.integer({ min: 0, max: 25_000 }), fc.integer({ min: 1, max: 5 })), {
        minLength: 10,
        maxLength: 40,
      });
      await fc.assert(
        fc.asyncProperty(steps, async (asked) => {
          run += 1;
          let at = T0 + run * 10 * MINUTE;
          const granted: { at: number; amount: number }[] = [];
          for (const [pause, amount] of asked) {
            at += pause;
            if ((await reserve(at, [rate(8, 'tokens', `r${run}`), amount])).granted) granted.push({ at, amount });
          }
          for (const from of granted) {
            const within = granted.filter((g) => g.at >= from.at && g.at < from.at + MINUTE);
            expect(within.reduce((sum, g) => sum + g.amount, 0)).toBeLessThanOrEqual(8);
          }
        }),
        { numRuns: 25 },
      );
    });

    it('outlives its process', async () => {
      await reserve(T0, [rate(1), 1]);
      store = await store.reopen();
      expect(await reserve(T0 + 1_000, [rate(1), 1])).toMatchObject({ granted: false });
      expect(await reserve(T0 + MINUTE + SLOT, [rate(1), 1])).toMatchObject({ granted: true });
    });

    it('takes of no rate where a budget has no room, and holds nothing where a rate has none', async () => {
      store.setNow(T0);
      const { ledger } = store;
      const money = budget(100n);
      const dear = await ledger.reserve(asked(freshCall(), T0, [[rate(1), 1]], [money], 101n));
      expect(dear).toMatchObject({ granted: false, left: 100n, short: { account: money } });
      expect(dear).not.toHaveProperty('rate');
      expect(await ledger.reserve(asked(freshCall(), T0, [[rate(1), 1]], [money], 60n))).toMatchObject({ amount: 60n });
      const soon = await ledger.reserve(asked(freshCall(), T0, [[rate(1), 1]], [money], 10n));
      expect(soon).toMatchObject({ granted: false, rate: { account: rate(1), left: 0 } });
      expect(soon).not.toHaveProperty('balances');
      expect(await totals(money)).toEqual([[0n, 60n]]);
    });

    it('tells of the rate where neither has room: it passes by itself', async () => {
      store.setNow(T0);
      const wants: Wants = [[rate(1), 2]];
      const answer = await store.ledger.reserve(asked(freshCall(), T0, wants, [budget(1n)], 2n));
      expect(answer).toMatchObject({ granted: false, rate: { account: rate(1), left: 1 } });
    });

    it('answers a refusal with the same, even if there is room by now', async () => {
      const taken = await reserve(T0, [rate(1), 1]);
      const request = asked(freshCall(), T0, [[rate(1), 1]]);
      const refused = await store.ledger.reserve(request);
      expect(refused).toMatchObject({ granted: false, rate: { left: 0 } });
      await store.ledger.release(taken.id);
      expect(await store.ledger.reserve(request)).toEqual(refused);
      expect(await reserve(T0, [rate(1), 1])).toMatchObject({ granted: true });
    });

    it('clamps money and takes the rate all the same', async () => {
      store.setNow(T0);
      const request = { ...asked(freshCall(), T0, [[rate(1), 1]], [budget(40n)], 60n), least: nano(10n) };
      expect(await store.ledger.reserve(request)).toMatchObject({ granted: true, amount: 40n });
      expect(await reserve(T0, [rate(1), 1])).toMatchObject({ granted: false });
    });

    it.each([
      ['more than it took', 100, 130],
      ['something, having taken nothing', 0, 130],
    ])('counts what a call came to in the end: %s', async (_, most, came) => {
      const tokens = rate(150, 'tokens');
      const call = await reserve(T0, [tokens, most]);
      await store.ledger.settle(call.id, nano(0n), [], came);
      expect(await reserve(T0, [tokens, 21])).toMatchObject({ granted: false, rate: { left: 150 - came } });
      expect(await reserve(T0, [tokens, 20])).toMatchObject({ granted: true });
    });

    it('leaves tokens at their most where nobody knows them', async () => {
      const tokens = rate(100, 'tokens');
      const call = await reserve(T0, [tokens, 90]);
      await store.ledger.settle(call.id, nano(0n), []);
      await store.ledger.settle(call.id, nano(0n), [], 0);
      await store.ledger.release(call.id);
      expect(await reserve(T0, [tokens, 11])).toMatchObject({ granted: false, rate: { left: 10 } });
    });

    it('corrects once, also after a restart and after the hold lapsed', async () => {
      const tokens = rate(100, 'tokens');
      const [first, second] = [await reserve(T0, [tokens, 50]), await reserve(T0, [tokens, 50])];
      store = await store.reopen();
      await store.ledger.lapse(epochMs(T0 + 2 * DAY));
      expect(await reserve(T0, [tokens, 1])).toMatchObject({ granted: false });
      await store.ledger.settle(first.id, nano(0n), [budget(1n)], 10);
      await store.ledger.settle(first.id, nano(0n), [budget(1n)], 0);
      await store.ledger.release(first.id);
      await store.ledger.release(second.id);
      expect(await reserve(T0, [tokens, 91])).toMatchObject({ granted: false, rate: { left: 90 } });
      expect(await reserve(T0, [tokens, 90])).toMatchObject({ granted: true });
    });

    it('makes no slot anew that has left its window', async () => {
      const tokens = rate(100, 'tokens');
      const call = await reserve(T0, [tokens, 100]);
      expect(await reserve(T0 + MINUTE + SLOT, [tokens, 60])).toMatchObject({ granted: true });
      await store.ledger.settle(call.id, nano(0n), [], 1_000);
      expect(await reserve(T0 + MINUTE + SLOT, [tokens, 40])).toMatchObject({ granted: true });
    });

    it('refuses what is no whole number, and takes nothing', async () => {
      for (const amount of [-1, 1.5, Number.NaN]) {
        const error = await reserve(T0, [rate(1), amount]).catch((reason: unknown) => reason);
        expect(error).toBeInstanceOf(Fault);
      }
      expect(await reserve(T0, [rate(1), 1])).toMatchObject({ granted: true });
    });

    it('gives 200 callers at once what both rate and budget have room for, exactly', async () => {
      store.setNow(T0);
      const wants: Wants = [
        [rate(17), 1],
        [rate(1_000, 'tokens'), 100],
      ];
      const money = budget(12n);
      const ids = Array.from({ length: 200 }, freshCall);
      const reserving = ids.map((id) => store.ledger.reserve(asked(id, T0, wants, [money], 1n)));
      const answers = await Promise.all(reserving);
      expect(answers.filter(({ granted }) => granted)).toHaveLength(10);
      expect(answers.filter((answer) => shortOf(answer)?.account.unit === 'tokens')).toHaveLength(190);
      expect(await totals(money)).toEqual([[0n, 10n]]);
      expect(await reserve(T0, [rate(17), 8])).toMatchObject({ granted: false, rate: { left: 7 } });
    });

    it('is what naive counting says, over any interleaving', { timeout: 60_000 }, async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => runAgainstModel(await open(), steps)),
        { numRuns: 100 },
      );
    });
  });
}

const MONEY = [budget(100n), budget(60n, 'run:acme/k1/r:total:0')];
const RATES: readonly RateAccount[] = [
  rate(5),
  rate(60, 'tokens'),
  { id: 'tenant:acme:hour:tokens', scope: 'tenant', window: 'hour', unit: 'tokens', limit: 200 },
];

const anId = fc.integer({ min: 0, max: 11 });
const wants = fc.record({
  requests: fc.boolean(),
  tokens: fc.option(fc.integer({ min: 0, max: 70 })),
  hour: fc.boolean(),
});
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      verb: fc.constant('reserve' as const),
      id: anId,
      wants,
      on: fc.subarray(MONEY),
      amount: fc.bigInt({ min: 0n, max: 50n }),
      twice: fc.boolean(),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      verb: fc.constant('settle' as const),
      id: anId,
      amount: fc.bigInt({ min: 0n, max: 50n }),
      tokens: fc.option(fc.integer({ min: 0, max: 80 }), { nil: undefined }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ verb: fc.constant('release' as const), id: anId }) },
  { weight: 4, arbitrary: fc.record({ verb: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 90_000 }) }) },
  { weight: 1, arbitrary: fc.record({ verb: fc.constant('lapse' as const) }) },
  { weight: 1, arbitrary: fc.record({ verb: fc.constant('reopen' as const) }) },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

function wantsOf({ requests, tokens, hour }: typeof wants extends fc.Arbitrary<infer W> ? W : never): Wants {
  const [perMinute, tokensPerMinute, tokensPerHour] = RATES as [RateAccount, RateAccount, RateAccount];
  return [
    ...(requests ? [[perMinute, 1] as const] : []),
    ...(tokens === null ? [] : [[tokensPerMinute, tokens] as const]),
    ...(hour ? [[tokensPerHour, tokens ?? 7] as const] : []),
  ];
}

async function runAgainstModel(fresh: OpenRates, steps: readonly Step[]): Promise<void> {
  let store = fresh;
  let now = T0;
  const model = new RateModel(MONEY);
  const ids = Array.from({ length: 12 }, freshCall);
  store.setNow(now);
  for (const doing of steps) {
    const { ledger } = store;
    const id = 'id' in doing ? (ids[doing.id] as CallId) : freshCall();
    if (doing.verb === 'reserve') {
      const wanted = wantsOf(doing.wants);
      // what is shared in nothing is known to its own process only
      const request = asked(id, now, wanted, wanted.length > 0 ? doing.on : MONEY, doing.amount);
      for (let n = doing.twice ? 2 : 1; n > 0; n -= 1)
        expect(await told(ledger.reserve(request))).toEqual(model.reserve(request, now));
    } else if (doing.verb === 'settle') {
      const expected = model.settle(id, doing.amount, MONEY, doing.tokens);
      expect(await ledger.settle(id, nano(doing.amount), MONEY, doing.tokens)).toEqual(expected);
    } else if (doing.verb === 'release') {
      model.release(id);
      await ledger.release(id);
    } else if (doing.verb === 'wait') {
      now += doing.ms;
      store.setNow(now);
    } else if (doing.verb === 'lapse') {
      model.money.lapse(now + 2 * DAY);
      await ledger.lapse(epochMs(now + 2 * DAY));
    } else {
      store = await store.reopen();
      model.restart();
    }
    await compare(store.ledger, model, now);
  }
  await store.close();
}

/** What the model says of the same reserve. */
async function told(answer: Promise<ReserveAnswer>): Promise<unknown> {
  try {
    const said = await answer;
    if (said.granted) return said.amount;
    return said.rate;
  } catch (error) {
    if (error instanceof Fault && error.code === 'TG_INTERNAL') return 'spent';
    throw error;
  }
}

async function compare(ledger: Ledger, model: RateModel, now: number): Promise<void> {
  const balances = await ledger.balances(MONEY);
  expect(balances.map(({ spent, held }) => [spent, held])).toEqual(MONEY.map(({ id }) => model.money.totals(id)));
  for (const account of RATES) {
    // more than the limit is refused, takes nothing, and says what is left
    const answer = await ledger.reserve(asked(freshCall(), now, [[account, account.limit + 1]]));
    expect(shortOf(answer)?.left).toBe(Math.max(0, account.limit - model.sum(account.id, now)));
  }
}
