import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CallId, epochMs } from '../../gateway/domain/scalars.ts';
import type { RateAccount, Rates } from '../../gateway/ports/rates.ts';

export interface OpenRates {
  readonly rates: Rates;
  /** the store is told this time from now on */
  setNow(ms: number): void;
  /** the same store, closed and opened again */
  reopen(): Promise<OpenRates>;
  close(): Promise<void>;
}

const T0 = 1_790_000_000_000;
const MINUTE = 60_000;
/** a window leaves whole slots */
const SLOT = 1_000;

const account = (limit: number, unit: RateAccount['unit'] = 'requests', of = 'bot'): RateAccount => ({
  id: `agent:acme/k1/${of}:minute:${unit}`,
  scope: 'agent',
  window: 'minute',
  unit,
  limit,
});

/** What every count of rates does (gateway/ports/rates.ts, meter.md 3.2). */
export function ratesContract(name: string, open: () => Promise<OpenRates>): void {
  describe(`rates: ${name}`, () => {
    let store: OpenRates;
    let made = 0;
    const take = (at: number, ...wants: (readonly [RateAccount, number])[]) => {
      store.setNow(at);
      made += 1;
      const id = `call_${made}` as CallId;
      const answer = store.rates.take(
        id,
        epochMs(at),
        wants.map(([of, amount]) => ({ account: of, amount })),
      );
      return answer.then((said) => ({ ...said, id }));
    };

    beforeEach(async () => {
      store = await open();
    });
    afterEach(() => store.close());

    it('grants up to the limit and says when there is room again', async () => {
      for (let i = 0; i < 3; i += 1)
        expect(await take(T0 + i * 10_000, [account(3), 1])).toMatchObject({ granted: true });
      const refused = await take(T0 + 30_000, [account(3), 1]);
      expect(refused).toMatchObject({ granted: false, left: 0, short: account(3) });
      const wait = (refused as { retryAfterMs: number }).retryAfterMs;
      expect(wait).toBeGreaterThanOrEqual(30_000);
      expect(wait).toBeLessThanOrEqual(30_000 + SLOT);
      expect(await take(T0 + 30_000 + wait - 1, [account(3), 1])).toMatchObject({ granted: false });
      expect(await take(T0 + 30_000 + wait, [account(3), 1])).toMatchObject({ granted: true });
    });

    it('takes from all accounts or from none', async () => {
      const wide = account(100, 'tokens');
      expect(await take(T0, [wide, 60], [account(1), 1])).toMatchObject({ granted: true });
      expect(await take(T0, [wide, 30], [account(1), 1])).toMatchObject({ granted: false, short: account(1) });
      expect(await take(T0, [wide, 41])).toMatchObject({ granted: false, left: 40 });
      expect(await take(T0, [wide, 40])).toMatchObject({ granted: true });
    });

    it('gives back what was not carried, and what was not used', async () => {
      const tokens = account(100, 'tokens');
      const first = await take(T0, [tokens, 100], [account(2), 1]);
      expect(await take(T0, [tokens, 1])).toMatchObject({ granted: false });
      await store.rates.settle(first.id, 30);
      const second = await take(T0, [tokens, 70], [account(2), 1]);
      expect(second).toMatchObject({ granted: true });
      expect(await take(T0, [account(2), 1])).toMatchObject({ granted: false });
      await store.rates.release(second.id);
      expect(await take(T0, [tokens, 70], [account(2), 1])).toMatchObject({ granted: true });
    });

    it('takes once for a call, whatever is asked again', async () => {
      store.setNow(T0);
      const wants = [{ account: account(1), amount: 1 }];
      const id = 'call_same' as CallId;
      expect(await store.rates.take(id, epochMs(T0), wants)).toEqual({ granted: true });
      expect(await store.rates.take(id, epochMs(T0), wants)).toEqual({ granted: true });
      await store.rates.release(id);
      await store.rates.release(id);
      expect(await take(T0, [account(1), 1])).toMatchObject({ granted: true });
      expect(await take(T0, [account(1), 1])).toMatchObject({ granted: false });
    });

    it('says never where the call alone is more than the limit', async () => {
      expect(await take(T0, [account(10, 'tokens'), 11])).toMatchObject({ granted: false, retryAfterMs: undefined });
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
            if ((await take(at, [account(8, 'tokens', `r${run}`), amount])).granted) granted.push({ at, amount });
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
      await take(T0, [account(1), 1]);
      store = await store.reopen();
      expect(await take(T0 + 1_000, [account(1), 1])).toMatchObject({ granted: false });
      expect(await take(T0 + MINUTE + SLOT, [account(1), 1])).toMatchObject({ granted: true });
    });
  });
}
