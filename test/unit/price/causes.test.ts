import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { apportion, apportionCount } from '../../../gateway/domain/apportion.ts';
import type { Cost } from '../../../gateway/domain/pricing.ts';
import { type Digest, nano, pico } from '../../../gateway/domain/scalars.ts';
import type { Usage } from '../../../gateway/domain/usage.ts';
import { causesOf } from '../../../gateway/price/causes.ts';

const sum = (amounts: readonly bigint[]): bigint => amounts.reduce((all, amount) => all + amount, 0n);

const adds = (counts: readonly number[]): number => counts.reduce((all, count) => all + count, 0);

describe('shares', () => {
  it('add up, are in proportion to one unit, and keep the order of weights', () => {
    fc.assert(
      fc.property(
        fc.bigInt(0n, 10n ** 15n),
        fc.array(fc.bigInt(0n, 10n ** 9n), { minLength: 1, maxLength: 40 }),
        (total, weights) => {
          const shares = apportion(total, weights);
          expect(sum(shares)).toBe(total);
          const all = sum(weights);
          if (all === 0n) return;
          for (const [i, share] of shares.entries()) {
            const exact = (total * (weights[i] as bigint)) / all;
            expect(share >= exact && share <= exact + 1n).toBe(true);
          }
        },
      ),
    );
  });

  it('are the same without bigints, also where a product leaves what a double holds', () => {
    const weight = fc.oneof(fc.nat(5), fc.nat(1_000_000), fc.maxSafeNat());
    fc.assert(
      fc.property(
        fc.oneof(fc.nat(1000), fc.maxSafeNat()),
        fc.array(weight, { minLength: 1, maxLength: 40 }),
        (total, weights) => {
          expect(apportionCount(total, weights).map(BigInt)).toEqual(apportion(BigInt(total), weights.map(BigInt)));
        },
      ),
    );
  });
});

const usage = (leaves: Usage['entries'][number]['leaves']): Usage => ({ entries: [{ leaves }], certainty: 'exact' });
const cost = (lines: readonly (readonly [Cost['lines'][number]['leaf'], number, bigint])[]): Cost => ({
  status: 'exact',
  total: nano(sum(lines.map(([, , amount]) => amount)) / 1000n),
  lines: lines.map(([leaf, count, amount]) => ({ model: 'm', leaf, count, amount: pico(amount) })),
  table: 'sha256:t' as Digest,
});

describe('causes of a charge', () => {
  it('give every token of the prompt its step, the cached ones at the price of the cache', () => {
    // of 4,000 tokens step 1 brought 1,000, and 1,000 are from the cache
    const prompt = {
      origins: [
        { step: 1, source: 'input' },
        { step: 2, source: 'tool:search' },
      ],
      stretches: [
        { by: 0, tokens: 1000, measured: false },
        { by: 1, tokens: 3000, measured: true },
      ],
    };
    const read = usage({ cache_read: 1000, input: 3000, output: 10 });
    const lines = cost([
      ['cache_read', 1000, 300_000n],
      ['input', 3000, 9_000_000n],
      ['output', 10, 150_000n],
    ]);
    expect(causesOf(3, prompt, read, lines, lines.total)).toEqual([
      { step: 1, source: 'input', tokens: 1000, amount: 300n, measured: false },
      { step: 2, source: 'tool:search', tokens: 3000, amount: 9000n, measured: true },
      { step: 3, source: 'output', tokens: 10, amount: 150n, measured: true },
    ]);
  });

  it('leave input that the request does not show with the step itself', () => {
    const lines = cost([['input', 400_000, 400_000_000n]]);
    const prompt = { origins: [{ step: 1, source: 'input' }], stretches: [{ by: 0, tokens: 1224, measured: true }] };
    const causes = causesOf(2, prompt, usage({ input: 400_000 }), lines, lines.total);
    expect(causes.find(({ source }) => source === 'hidden')).toMatchObject({
      step: 2,
      tokens: 400_000 - 1224,
      measured: false,
    });
  });

  it('split a stretch at the border of the cache, and call a sum measured where all of it is', () => {
    const prompt = {
      origins: [
        { step: 1, source: 'input' },
        { step: 2, source: 'tool:a' },
      ],
      stretches: [
        { by: 0, tokens: 10, measured: true },
        { by: 1, tokens: 10, measured: true },
        { by: 0, tokens: 10, measured: false },
      ],
    };
    const lines = cost([
      ['cache_read', 15, 15_000n],
      ['cache_write_5m', 5, 50_000n],
      ['input', 10, 30_000n],
    ]);
    const read = usage({ cache_read: 15, cache_write_5m: 5, input: 10 });
    expect(causesOf(2, prompt, read, lines, lines.total)).toEqual([
      { step: 1, source: 'input', tokens: 20, amount: 10n + 30n, measured: false },
      { step: 2, source: 'tool:a', tokens: 10, amount: 5n + 50n, measured: true },
    ]);
    const guessed = causesOf(2, prompt, { ...read, certainty: 'floor' }, lines, lines.total);
    expect(guessed.some(({ measured }) => measured)).toBe(false);
  });

  it('add up to the charge, whatever the request and the bill', () => {
    const stretch = fc.record({ by: fc.nat(8), weight: fc.nat(100_000), measured: fc.boolean() });
    const origins = Array.from({ length: 9 }, (_, i) => ({
      step: 1 + (i >> 1),
      source: i % 2 === 0 ? 'said' : 'tool:a',
    }));
    const count = fc.nat(200_000);
    fc.assert(
      fc.property(
        fc.array(stretch, { maxLength: 30 }),
        count,
        count,
        count,
        count,
        fc.oneof(fc.bigInt(0n, 10n ** 12n), fc.bigInt(0n, 10n ** 17n)),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (weighed, read, write, input, output, charged, shown) => {
          const lines = cost([
            ['cache_read', read, BigInt(read) * 30n],
            ['cache_write_5m', write, BigInt(write) * 375n],
            ['input', input, BigInt(input) * 300n],
            ['output', output, BigInt(output) * 1500n],
          ]);
          const tokens = apportionCount(
            weighed.length === 0 ? 0 : Math.floor((read + write + input) * shown),
            weighed.map(({ weight }) => weight),
          );
          const stretches = weighed.map(({ by, measured }, i) => ({ by, measured, tokens: tokens[i] as number }));
          const causes = causesOf(
            5,
            { origins, stretches },
            usage({ cache_read: read, cache_write_5m: write, input, output }),
            lines,
            nano(charged),
          );
          if (read + write + input + output === 0) return;
          expect(sum(causes.map(({ amount }) => amount))).toBe(charged);
          expect(adds(causes.map((cause) => cause.tokens))).toBe(read + write + input + output);
        },
      ),
    );
  });
});
