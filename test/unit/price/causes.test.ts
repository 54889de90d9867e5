import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Cost } from '../../../gateway/domain/pricing.ts';
import { type Digest, nano, pico } from '../../../gateway/domain/scalars.ts';
import type { Usage } from '../../../gateway/domain/usage.ts';
import { apportion } from '../../../gateway/price/apportion.ts';
import { causesOf } from '../../../gateway/price/causes.ts';

const sum = (amounts: readonly bigint[]): bigint => amounts.reduce((all, amount) => all + amount, 0n);

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
    // 1,000 characters of step 1 and 3,000 of step 2 are 4,000 tokens, 1,000 of them from the cache
    const segments = [
      { step: 1, source: 'input', size: 1000 },
      { step: 2, source: 'tool:search', size: 3000 },
    ];
    const read = usage({ cache_read: 1000, input: 3000, output: 10 });
    const lines = cost([
      ['cache_read', 1000, 300_000n],
      ['input', 3000, 9_000_000n],
      ['output', 10, 150_000n],
    ]);
    expect(causesOf(3, segments, read, lines, lines.total)).toEqual([
      { step: 1, source: 'input', tokens: 1000, amount: 300n },
      { step: 2, source: 'tool:search', tokens: 3000, amount: 9000n },
      { step: 3, source: 'output', tokens: 10, amount: 150n },
    ]);
  });

  it('leave input that the request does not show with the step itself', () => {
    const lines = cost([['input', 400_000, 400_000_000n]]);
    const causes = causesOf(
      2,
      [{ step: 1, source: 'input', size: 100 }],
      usage({ input: 400_000 }),
      lines,
      lines.total,
    );
    expect(causes.find(({ source }) => source === 'hidden')).toMatchObject({ step: 2, tokens: 400_000 - 1224 });
  });

  it('add up to the charge, whatever the request and the bill', () => {
    const segment = fc.record({
      step: fc.integer({ min: 1, max: 9 }),
      source: fc.constantFrom('input', 'said', 'tool:a'),
      size: fc.nat(100_000),
    });
    const count = fc.nat(200_000);
    fc.assert(
      fc.property(
        fc.array(segment, { maxLength: 30 }),
        count,
        count,
        count,
        count,
        fc.bigInt(0n, 10n ** 12n),
        (segments, read, write, input, output, charged) => {
          const lines = cost([
            ['cache_read', read, BigInt(read) * 30n],
            ['cache_write_5m', write, BigInt(write) * 375n],
            ['input', input, BigInt(input) * 300n],
            ['output', output, BigInt(output) * 1500n],
          ]);
          const causes = causesOf(
            5,
            segments,
            usage({ cache_read: read, cache_write_5m: write, input, output }),
            lines,
            nano(charged),
          );
          if (read + write + input + output === 0) return;
          expect(sum(causes.map(({ amount }) => amount))).toBe(charged);
          expect(causes.reduce((all, { tokens }) => all + tokens, 0)).toBe(read + write + input + output);
        },
      ),
    );
  });
});
