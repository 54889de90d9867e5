import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cashierOf } from '../../../gateway/compose.ts';
import { picoToNano } from '../../../gateway/domain/money.ts';
import { epochMs, pico } from '../../../gateway/domain/scalars.ts';
import { summarize, type Usage } from '../../../gateway/domain/usage.ts';
import { quoteOf } from '../../../gateway/pipeline/quote-of.ts';
import { Tally } from '../../../gateway/pipeline/tally.ts';
import type { Member, Reading } from '../../../gateway/ports/dialect.ts';

const AT = epochMs(Date.parse('2026-11-22T12:00:00Z'));
const PRICES = `provider: p
currency: USD
sources: ["https://example.test/"]
base_tier: standard
service_tiers: { batch: { times: "0.5" } }
fees: { cache_storage: { per_1000: "0.001" } }
models:
  - id: small
    window: 1000
    max_output: 100
    checked: 2026-11-22
    fees: { second: { per_1000: "0.1" } }
    rows:
      - from: 2026-01-01
        rates: { input: "1.000001", output: "3.1" }
        tiers: [{ input_over: 500, rates: { input: "2.1", output: "7" } }]
  - id: large
    window: 1000
    max_output: 100
    checked: 2026-11-22
    rows:
      - from: 2026-01-01
        rates: { input: "10.3", output: "30.7" }
`;
const cashier = cashierOf([{ path: 'p.yaml', text: PRICES }]);

describe('many answers as one charge', () => {
  const count = fc.integer({ min: 0, max: 900 });
  const answer = fc.record({
    model: fc.constantFrom('small', 'large'),
    tier: fc.constantFrom('batch', 'standard'),
    input: count,
    output: count,
  });

  it('is the exact sum of what each costs by itself, rounded up once, and its lines add up to it', () => {
    fc.assert(
      fc.property(fc.array(answer, { minLength: 1, maxLength: 30 }), (answers) => {
        const tally = new Tally();
        let sum = 0n;
        for (const { model, tier, input, output } of answers) {
          const usage: Usage = { entries: [{ model, tier, leaves: { input, output } }], certainty: 'exact' };
          const cost = cashier.cost('p', model, usage, AT);
          sum += cost.lines.reduce((total, { amount }) => total + amount, 0n);
          tally.add(usage, cost);
        }
        const whole = tally.cost();
        expect(whole?.total).toBe(picoToNano(pico(sum)));
        expect(whole?.lines.reduce((total, { amount }) => total + amount, 0n)).toBe(sum);
        expect(whole?.status).toBe('exact');
        expect(summarize(tally.usage())).toMatchObject({
          input: answers.reduce((total, { input }) => total + input, 0),
          output: answers.reduce((total, { output }) => total + output, 0),
        });
        expect(tally.usage().entries.length).toBeLessThanOrEqual(4);
      }),
    );
  });

  it('is nothing without answers, and no more certain than the least certain of them', () => {
    expect(new Tally().cost()).toBeUndefined();
    const tally = new Tally();
    const usage: Usage = { entries: [{ model: 'small', leaves: { input: 1 } }], certainty: 'floor' };
    tally.add(usage, cashier.cost('p', 'small', usage, AT));
    expect([tally.exact, tally.usage().certainty, tally.cost()?.status]).toEqual([false, 'floor', 'estimated']);
  });
});

describe('the quote of a request', () => {
  const bound = { model: 'small', bytes: 100, choices: 1, outputCap: 10, opaque: [], serverTools: [] };
  const quote = (more: object) => cashier.quote('p', { ...bound, ...more }, AT, true);
  const member = (more: object): Member => ({
    at: '',
    name: '',
    reading: { bound: { ...bound, ...more } } as unknown as Reading,
  });

  it('that consists of several is their sum, and no cap can lower it', () => {
    const reading = { bound, members: [member({}), member({ model: 'large', tier: 'batch' })] } as unknown as Reading;
    const sum = quoteOf(cashier, 'p', reading, AT, true);
    expect(sum.max).toBe(quote({}).max + quote({ model: 'large', tier: 'batch' }).max);
    expect(sum).toMatchObject({ fixed: sum.max, perOutputToken: 0n, priced: true, bounded: true });
    const odd = { bound, members: [member({}), member({ model: 'none' })] } as unknown as Reading;
    expect(quoteOf(cashier, 'p', odd, AT, true)).toMatchObject({
      priced: false,
      note: expect.stringContaining('`none`'),
    });
  });

  it('that is free is nothing, whatever it holds and whoever it names', () => {
    expect(quote({ free: true, model: 'none', opaque: ['image'] })).toMatchObject({
      max: 0n,
      priced: true,
      bounded: true,
    });
  });

  it('counts units for the models that are billed by them', () => {
    expect(quote({ units: { second: 61 } }).max - quote({}).max).toBe(6_100_000n);
    expect(quote({ model: 'large', units: { second: 61 } }).max).toBe(quote({ model: 'large' }).max);
  });

  it('counts the hours that its input is kept, over its window where its size is not shown', () => {
    const input = 100 + 1024;
    expect(quote({ storedHours: 2 }).max - quote({}).max).toBe(BigInt(input * 2 * 1000));
    const hidden = { opaque: ['file'] };
    expect(quote({ ...hidden, storedHours: 2 }).max - quote(hidden).max).toBe(BigInt(input * 2 * 1000));
  });

  it('for whatever model an earlier call named is that of the dearest, and priced', () => {
    const any = quote({ model: '', anyModel: true });
    expect(any.priced).toBe(true);
    expect(any.max).toBeGreaterThanOrEqual(quote({ model: 'large' }).max);
    expect(quote({ model: '' }).priced).toBe(false);
  });
});
