import fc from 'fast-check';
import { expect, test } from 'vitest';
import { nanoToUsd, picoToNano } from '../../../gateway/domain/money.ts';
import type { Cost } from '../../../gateway/domain/pricing.ts';
import { epochMs, type Pico, pico } from '../../../gateway/domain/scalars.ts';
import { type Leaves, TOKEN_LEAVES, type Usage, type UsageEntry } from '../../../gateway/domain/usage.ts';
import type { Cashier } from '../../../gateway/price/cashier.ts';
import { cashierOf, HEAD, plainModel } from './price-tables.ts';

const NOW = epochMs(Date.parse('2026-11-22T12:00:00Z'));
const FULL = 'input: "3", cache_read: "0.30", cache_write_5m: "3.75", cache_write_1h: "6", output: "15"';

const used = (...entries: UsageEntry[]): Usage => ({ entries, certainty: 'exact' });
const usd = (cost: Cost): string => nanoToUsd(cost.total);
const sumOf = (cost: Cost): Pico => pico(cost.lines.reduce((sum, { amount }) => sum + amount, 0n));
const at = (iso: string) => epochMs(Date.parse(iso));

function price(
  cashier: Cashier,
  model: string,
  leaves: Leaves,
  more: Omit<UsageEntry, 'leaves'> = {},
  when = NOW,
): Cost {
  return cashier.cost('acme', model, used({ leaves, ...more }), when);
}

test('each kind of token has its own rate: a 1 h write is not a 5 min write, a read is not an input', () => {
  const acme = cashierOf(plainModel('a', FULL));
  expect(usd(price(acme, 'a', { input: 1_000_000 }))).toBe('3');
  expect(usd(price(acme, 'a', { cache_read: 1_000_000 }))).toBe('0.3');
  expect(usd(price(acme, 'a', { cache_write_5m: 1_000_000 }))).toBe('3.75');
  expect(usd(price(acme, 'a', { cache_write_1h: 1_000_000 }))).toBe('6');
  const all = price(acme, 'a', { input: 1, cache_read: 10, cache_write_5m: 100, cache_write_1h: 1000, output: 10_000 });
  expect(all.status).toBe('exact');
  expect(all.lines.map(({ leaf, count, amount }) => [leaf, count, amount])).toEqual([
    ['input', 1, 3_000_000n],
    ['cache_read', 10, 3_000_000n],
    ['cache_write_5m', 100, 375_000_000n],
    ['cache_write_1h', 1000, 6_000_000_000n],
    ['output', 10_000, 150_000_000_000n],
  ]);
});

test('a leaf without its own rate is never free: it pays its parent and the cost says so', () => {
  const acme = cashierOf(plainModel('a', 'input: "3", cache_write_5m: "3.75", output: "15"'));
  const one = (leaves: Leaves) => {
    const cost = price(acme, 'a', leaves);
    return [usd(cost), cost.status];
  };
  expect(one({ cache_read: 1_000_000 })).toEqual(['3', 'estimated']);
  expect(one({ cache_write_1h: 1_000_000 })).toEqual(['3.75', 'estimated']);
  expect(one({ reasoning: 1_000_000 })).toEqual(['15', 'estimated']);
  expect(one({ input_audio: 1_000_000, input_image: 1_000_000 })).toEqual(['6', 'estimated']);
  expect(one({ cache_write_5m: 1_000_000, reasoning: 0 })).toEqual(['3.75', 'exact']);
});

test('cached audio falls back to audio, never to the cheaper cached text', () => {
  const acme = cashierOf(plainModel('a', 'input: "4", cache_read: "0.40", input_audio: "32", output: "16"'));
  expect(usd(price(acme, 'a', { cache_read_audio: 1_000_000 }))).toBe('32');
});

test('the table may say that a leaf is billed inside its parent or as another leaf: then it is exact', () => {
  const head = `${HEAD}input_includes: [cache_read, input_image]\noutput_includes: [reasoning]\nbilled_as: { tool_prompt: input }\n`;
  const acme = cashierOf(plainModel('a', 'input: "3", output: "15"'), head);
  for (const leaf of ['reasoning', 'input_image', 'tool_prompt'] as const)
    expect(price(acme, 'a', { [leaf]: 5 }).status, leaf).toBe('exact');
  expect(price(acme, 'a', { cache_read: 5 }).status).toBe('estimated');
});

test('a written zero is free, and exact', () => {
  const free = price(cashierOf(plainModel('a', 'input: "0", output: "0"')), 'a', { input: 500, output: 500 });
  expect([free.total, free.status, free.lines.length]).toEqual([0n, 'exact', 2]);
});

test('long context is a cliff: one token more and every token costs more, the cache included', () => {
  const tier =
    '        tiers: [{ input_over: 200000, rates: { input: "6", cache_read: "0.60", cache_write_5m: "7.50", cache_write_1h: "12", output: "22.50" } }]\n';
  const acme = cashierOf(plainModel('a', FULL, tier));
  expect(usd(price(acme, 'a', { input: 100_000, cache_read: 90_000, cache_write_5m: 10_000, output: 1000 }))).toBe(
    '0.3795',
  );
  expect(usd(price(acme, 'a', { input: 100_001, cache_read: 90_000, cache_write_5m: 10_000, output: 1000 }))).toBe(
    '0.751506',
  );
  expect(usd(price(acme, 'a', { input: 1000, output: 300_000 }))).toBe('4.503');
});

test('the cliff is judged for each prompt: two iterations below it do not add up to one above it', () => {
  const tier = '        tiers: [{ input_over: 200000, rates: { input: "6", output: "22.50" } }]\n';
  const acme = cashierOf(plainModel('a', 'input: "3", output: "15"', tier));
  const half: UsageEntry = { leaves: { input: 150_000 } };
  expect(usd(acme.cost('acme', 'a', used(half, half), NOW))).toBe('0.9');
  const summed = acme.cost('acme', 'a', used({ leaves: { input: 300_000 }, fees: { search: 0 } }), NOW);
  expect([usd(summed), summed.status]).toEqual(['1.8', 'exact']);
});

test('a total that a provider-run tool summed over several prompts takes the dearer reading, as an estimate', () => {
  const tier = '        tiers: [{ input_over: 200000, rates: { input: "6", output: "22.50" } }]\n';
  const acme = cashierOf(
    plainModel('a', 'input: "3", output: "15"', `${tier}    fees: { search: { per_1000: "10" } }\n`),
  );
  const cost = price(acme, 'a', { input: 300_000 }, { fees: { search: 1 } });
  expect([usd(cost), cost.status]).toEqual(['1.81', 'estimated']);
});

const TIERED = cashierOf(
  plainModel(
    'a',
    FULL,
    '        service_tiers: { batch: { times: "0.5" }, priority: { rates: { input: "4", output: "30" } }, bought: { times: "0" } }\n',
  ),
  `${HEAD}base_tier: standard\n`,
);

test('the tier is the served one: batch halves the cache rates too, own rates replace, a bought one is a written zero', () => {
  const tokens = { input: 1_000_000, cache_read: 1_000_000, output: 1_000_000 };
  expect(usd(price(TIERED, 'a', tokens))).toBe('18.3');
  expect(usd(price(TIERED, 'a', tokens, { tier: 'standard' }))).toBe('18.3');
  expect(usd(price(TIERED, 'a', tokens, { tier: 'batch' }))).toBe('9.15');
  expect(usd(price(TIERED, 'a', { input: 1_000_000, output: 1_000_000 }, { tier: 'priority' }))).toBe('34');
  expect(usd(price(TIERED, 'a', tokens, { tier: 'bought' }))).toBe('0');
});

test('a tier the table does not know pays the dearest one it knows', () => {
  const cost = price(TIERED, 'a', { input: 1_000_000, output: 1_000_000 }, { tier: 'turbo' });
  expect([usd(cost), cost.status]).toEqual(['34', 'estimated']);
});

test('a region multiplies tokens, not fees, and leaves tiers alone', () => {
  const tier = '        service_tiers: { batch: { times: "0.5" } }\n    regions: { us: "1.1", global: "1" }\n';
  const acme = cashierOf(plainModel('a', FULL, `${tier}    fees: { search: { per_1000: "10" } }\n`));
  const cost = (region?: string, more: Omit<UsageEntry, 'leaves'> = {}) =>
    price(acme, 'a', { input: 1_000_000 }, { region, fees: { search: 2 }, ...more });
  expect(usd(cost())).toBe('3.02');
  expect(usd(cost('global'))).toBe('3.02');
  expect(usd(cost('us'))).toBe('3.32');
  expect(usd(cost('us', { tier: 'batch' }))).toBe('1.67');
  expect([usd(cost('mars')), cost('mars').status]).toEqual(['3.32', 'estimated']);
});

test('fees count uses; an unknown fee is never free', () => {
  const models =
    plainModel('a', FULL, '    fees: { search: { per_1000: "10" }, fetch: { per_1000: "0" } }\n') +
    plainModel('b', FULL, '    fees: { search: { per_1000: "25" } }\n') +
    plainModel('c', FULL);
  const acme = cashierOf(models);
  const fee = (model: string, fees: Record<string, number>) => {
    const cost = price(acme, model, {}, { fees });
    return [usd(cost), cost.status];
  };
  expect(fee('a', { search: 3, fetch: 7 })).toEqual(['0.03', 'exact']);
  expect(fee('a', { search: 0 })).toEqual(['0', 'exact']);
  expect(fee('c', { search: 1 })).toEqual(['0.025', 'estimated']);
  expect(fee('c', { session: 1 })).toEqual(['0.025', 'unpriced']);
  expect(price(acme, 'a', {}, { fees: { search: 3 } }).lines).toEqual([
    { model: 'a', leaf: 'fee:search', count: 3, amount: 30_000_000_000n },
  ]);
});

test('the row is the newest in force when the request began; hours narrow one; before the first row the first one stands in', () => {
  const model = `  - id: a
    window: 1000
    max_output: 10
    checked: 2026-11-22
    rows:
      - from: 2025-01-01
        rates: { input: "5", output: "1" }
      - from: 2026-01-01
        hours: ["16:30", "00:30"]
        rates: { input: "1", output: "1" }
      - from: 2026-01-01
        rates: { input: "2", output: "1" }
`;
  const acme = cashierOf(model);
  const when = (iso: string) => {
    const cost = price(acme, 'a', { input: 1_000_000 }, {}, at(iso));
    return [usd(cost), cost.status];
  };
  expect(when('2024-12-31T23:59:59Z')).toEqual(['5', 'estimated']);
  expect(when('2025-01-01T00:00:00Z')).toEqual(['5', 'exact']);
  expect(when('2025-12-31T23:59:59.999Z')).toEqual(['5', 'exact']);
  expect(when('2026-01-01T00:00:00Z')).toEqual(['1', 'exact']);
  expect(when('2026-01-01T00:30:00Z')).toEqual(['2', 'exact']);
  expect(when('2026-05-05T16:29:59Z')).toEqual(['2', 'exact']);
  expect(when('2026-05-05T16:30:00Z')).toEqual(['1', 'exact']);
});

test('every entry is priced at its own model; an unknown served id falls back to the one asked for, as an estimate', () => {
  const acme = cashierOf(plainModel('a', 'input: "1", output: "1"') + plainModel('b', 'input: "10", output: "10"'));
  const million = { input: 1_000_000 };
  const both = acme.cost('acme', 'a', used({ model: 'b', leaves: million }, { model: 'a', leaves: million }), NOW);
  expect([usd(both), both.status, both.lines.map(({ model }) => model)]).toEqual(['11', 'exact', ['b', 'a']]);
  const renamed = acme.cost('acme', 'a', used({ model: 'a-internal', leaves: million }), NOW);
  expect([usd(renamed), renamed.status]).toEqual(['1', 'estimated']);
  const routed = acme.cost('acme', 'my-deployment', used({ model: 'b', leaves: million }), NOW);
  expect([usd(routed), routed.status]).toEqual(['10', 'exact']);
});

test('an unknown model costs what the dearest row of its provider would, and an unknown provider the dearest of all', () => {
  const acme = cashierOf(plainModel('in', 'input: "9", output: "1"') + plainModel('out', 'input: "1", output: "9"'));
  const unknown = price(acme, 'nope', { input: 10, output: 1_000_000 });
  expect([usd(unknown), unknown.status, unknown.lines[0]?.model]).toEqual(['9.00001', 'unpriced', 'nope']);
  expect(usd(price(acme, 'nope', { input: 1_000_000 }))).toBe('9');
  expect(usd(acme.cost('elsewhere', 'nope', used({ leaves: { input: 1_000_000 } }), NOW))).toBe('9');
});

test('what the provider states is the charge, zero included; ours stays beside it', () => {
  const acme = cashierOf(plainModel('a', FULL));
  const stated = (reported: bigint) =>
    acme.cost('acme', 'nope', { ...used({ leaves: { input: 1_000_000 } }), reported: pico(reported) }, NOW);
  expect(stated(1_500n)).toMatchObject({ total: 2n, ours: 3_000_000_000n, status: 'exact' });
  expect(stated(0n)).toMatchObject({ total: 0n, ours: 3_000_000_000n });
});

test('only terminal usage is exact', () => {
  const acme = cashierOf(plainModel('a', FULL));
  const entries = [{ leaves: { input: 5 } }];
  expect(acme.cost('acme', 'a', { entries, certainty: 'floor' }, NOW).status).toBe('estimated');
  expect(acme.cost('acme', 'a', { entries, certainty: 'exact', estimated: true }, NOW).status).toBe('estimated');
  expect(acme.cost('acme', 'a', used(), NOW)).toMatchObject({ total: 0n, status: 'exact', lines: [] });
});

test('counts that are no counts do not break the till', () => {
  const acme = cashierOf(plainModel('a', FULL));
  for (const bad of [Number.NaN, -5, Number.POSITIVE_INFINITY])
    expect(price(acme, 'a', { input: bad, output: 1 })).toMatchObject({ total: 15_000n, status: 'estimated' });
  expect(price(acme, 'a', { input: 0.5 })).toMatchObject({ total: 3000n, status: 'estimated' });
});

const leavesArb = fc.record(
  Object.fromEntries(TOKEN_LEAVES.map((leaf) => [leaf, fc.integer({ min: 0, max: 3_000_000 })])),
  { requiredKeys: [] },
) as fc.Arbitrary<Leaves>;
const entryArb = fc.record(
  {
    leaves: leavesArb,
    tier: fc.constantFrom('default', 'odd', 'third', 'unheard'),
    region: fc.constantFrom('us', 'odd', 'unheard'),
    fees: fc.record({ search: fc.integer({ min: 0, max: 50 }) }),
    model: fc.constantFrom('a', 'b', 'nope'),
  },
  { requiredKeys: ['leaves'] },
) as fc.Arbitrary<UsageEntry>;

/** Multipliers and rates that never divide evenly. */
const AWKWARD = cashierOf(
  plainModel(
    'a',
    'input: "0.333333", cache_read: "0.0028", output: "1.000001"',
    `        tiers: [{ input_over: 200000, rates: { input: "0.777777", cache_read: "0.0057", output: "1.500003" } }]
        service_tiers: { odd: { times: "0.333333" }, third: { times: "1.7" } }
    regions: { us: "1.1", odd: "1.000003" }
    fees: { search: { per_1000: "4.166667" } }
`,
  ) + plainModel('b', FULL),
);

test('property: the lines add up to the total within its one rounding', () => {
  fc.assert(
    fc.property(fc.array(entryArb, { maxLength: 4 }), (entries) => {
      const cost = AWKWARD.cost('acme', 'a', used(...entries), NOW);
      expect(picoToNano(sumOf(cost))).toBe(cost.total);
      expect(cost.lines.every(({ amount }) => amount >= 0n)).toBe(true);
    }),
  );
});

test('property: one token more of any kind never costs less', () => {
  fc.assert(
    fc.property(
      entryArb,
      fc.constantFrom(...TOKEN_LEAVES),
      fc.integer({ min: 1, max: 400_000 }),
      (entry, leaf, more) => {
        const leaves = { ...entry.leaves, [leaf]: (entry.leaves[leaf] ?? 0) + more };
        const before = AWKWARD.cost('acme', 'a', used(entry), NOW).total;
        expect(AWKWARD.cost('acme', 'a', used({ ...entry, leaves }), NOW).total).toBeGreaterThanOrEqual(before);
      },
    ),
  );
});

test('property: a cost is the sum of exact fractions, rounded up once', () => {
  const rate = { input: 333_333n, cache_read: 2_800n, output: 1_000_001n };
  fc.assert(
    fc.property(
      fc.record({ input: fc.nat(90_000), cache_read: fc.nat(90_000), output: fc.nat(1_000_000) }),
      (leaves) => {
        const exact =
          (BigInt(leaves.input) * rate.input +
            BigInt(leaves.cache_read) * rate.cache_read +
            BigInt(leaves.output) * rate.output) *
          333_333n *
          1_100_000n;
        const unit = 10n ** 15n;
        const cost = price(AWKWARD, 'a', leaves, { tier: 'odd', region: 'us' });
        expect(cost.total).toBe((exact + unit - 1n) / unit);
      },
    ),
  );
});

test('a million small costs differ from the exact sum by less than a tenth of a cent, and never downwards', () => {
  const rate = 333_333n * 333_333n;
  let charged = 0n;
  let exact = 0n;
  for (let i = 0; i < 1_000_000; i += 1) {
    const tokens = (i * 7919) % 1000;
    exact += BigInt(tokens) * rate;
    // what `cost` does for one leaf, without a million objects; the equality is checked on a sample below
    charged += (BigInt(tokens) * rate + 999_999_999n) / 1_000_000_000n;
    if (i % 20_000 === 0)
      expect(price(AWKWARD, 'a', { input: tokens }, { tier: 'odd' }).total).toBe(
        (BigInt(tokens) * rate + 999_999_999n) / 1_000_000_000n,
      );
  }
  const difference = charged * 1_000_000_000n - exact;
  expect(difference).toBeGreaterThanOrEqual(0n);
  expect(difference).toBeLessThan(1_000_000n * 1_000_000_000n);
});
