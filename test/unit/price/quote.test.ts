import fc from 'fast-check';
import { expect, test } from 'vitest';
import { usdToNano } from '../../../gateway/domain/money.ts';
import type { Quote, RequestBound } from '../../../gateway/domain/pricing.ts';
import { epochMs, nano } from '../../../gateway/domain/scalars.ts';
import type { UsageEntry } from '../../../gateway/domain/usage.ts';
import { affordableTokens } from '../../../gateway/price/quote.ts';
import { cashierOf, HEAD, plainModel } from './price-tables.ts';

const NOW = epochMs(Date.parse('2026-11-22T12:00:00Z'));
const FULL = 'input: "3", cache_read: "0.30", cache_write_5m: "3.75", cache_write_1h: "6", output: "15"';

const bound = (more: Partial<RequestBound> = {}): RequestBound => ({
  model: 'a',
  bytes: 1000,
  choices: 1,
  opaque: [],
  serverTools: [],
  ...more,
});

const ACME = cashierOf(plainModel('a', FULL, '    fees: { search: { per_1000: "10" }, fetch: { per_1000: "0" } }\n'));
const quote = (more: Partial<RequestBound> = {}, strict = true, cashier = ACME): Quote =>
  cashier.quote('acme', bound(more), NOW, strict);

/** rate × tokens as nano-dollars, for whole results */
const nanos = (usdPerMillion: number, tokens: number): bigint => BigInt(usdPerMillion * 1000) * BigInt(tokens);

test('a byte is a token where it is strict, else half of one, and hidden tokens come on top', () => {
  expect(quote().inputTokens).toBe(2024);
  expect(quote({}, false).inputTokens).toBe(1524);
  expect(quote({ bytes: 1001 }, false).inputTokens).toBe(1525);
  expect(quote().fixed).toBe(nanos(3, 2024));
});

test("the output cap is the request's, else what the model can produce, times the answers asked for", () => {
  expect(quote()).toMatchObject({
    outputCap: 8000,
    perOutputToken: 15_000_000n,
    max: nanos(3, 2024) + nanos(15, 8000),
  });
  expect(quote({ outputCap: 100 }).max).toBe(nanos(3, 2024) + nanos(15, 100));
  expect(quote({ outputCap: 100, choices: 3 }).max).toBe(nanos(3, 2024) + nanos(45, 100));
  expect(quote({ outputCap: 0 }).max).toBe(nanos(3, 2024));
  expect(quote({ outputCap: Number.POSITIVE_INFINITY }).outputCap).toBe(8000);
  expect(quote({ choices: 0 }).perOutputToken).toBe(15_000_000n);
});

test('a cache write counts where it is asked for, at the rate asked for, or where it happens by itself', () => {
  expect(quote({ cacheWrite: '5m' }).fixed).toBe(2024n * 3_750n);
  expect(quote({ cacheWrite: '1h' }).fixed).toBe(nanos(6, 2024));
  const automatic = cashierOf(plainModel('a', FULL), `${HEAD}cache_writes: automatic\n`);
  expect(quote({}, true, automatic).fixed).toBe(2024n * 3_750n);
});

test('the cliff holds from the first token the bound puts above it', () => {
  const tier = '        tiers: [{ input_over: 3000, rates: { input: "6", output: "22.50" } }]\n';
  const acme = cashierOf(plainModel('a', 'input: "3", output: "15"', tier));
  expect(quote({ bytes: 1976 }, true, acme)).toMatchObject({ fixed: nanos(3, 3000), perOutputToken: 15_000_000n });
  expect(quote({ bytes: 1977 }, true, acme)).toMatchObject({ fixed: nanos(6, 3001), perOutputToken: 22_500_000n });
});

test('the tier is the dearest the request can be answered with', () => {
  const tiers = '        service_tiers: { flex: { times: "0.5" }, priority: { times: "2" } }\n';
  const head = `${HEAD}asked: { tier: { auto: [default, priority], fast: [priority] } }\n`;
  const acme = cashierOf(plainModel('a', 'input: "3", output: "15"', tiers), head);
  const per = (tier?: string) => quote({ tier }, true, acme).perOutputToken;
  expect(per()).toBe(15_000_000n);
  expect(per('default')).toBe(15_000_000n);
  expect(per('flex')).toBe(7_500_000n);
  expect(per('auto')).toBe(30_000_000n);
  expect(per('fast')).toBe(30_000_000n);
  expect(per('unheard')).toBe(30_000_000n);
});

test('no word about the place means what the table says it means', () => {
  const regions = '    regions: { us: "1.1", global: "1" }\n';
  const head = `${HEAD}asked: { region: { absent: [global, us] } }\n`;
  const acme = cashierOf(plainModel('a', 'input: "3", output: "10"', regions), head);
  expect(quote({}, true, acme).perOutputToken).toBe(11_000_000n);
  expect(quote({ region: 'global' }, true, acme).perOutputToken).toBe(10_000_000n);
});

test('what the body does not show fills the window, and only then media rates count', () => {
  const acme = cashierOf(plainModel('a', 'input: "3", input_audio: "40", output: "15"'));
  expect(quote({}, true, acme).fixed).toBe(nanos(3, 2024));
  expect(quote({ opaque: ['audio'] }, true, acme)).toMatchObject({
    inputTokens: 200_000,
    fixed: nanos(40, 200_000),
    bounded: true,
  });
  expect(quote({ opaque: ['file'], bytes: 500_000 }, true, acme).inputTokens).toBe(501_024);
});

test('a tool the provider runs re-reads the window each time; without a limit there is no bound', () => {
  const some = quote({
    serverTools: [
      { fee: 'search', maxUses: 2 },
      { fee: 'fetch', maxUses: 1 },
    ],
  });
  expect(some).toMatchObject({ bounded: true, inputTokens: 800_000, fixed: nanos(3, 800_000) + usdToNano('0.02') });
  const endless = quote({ serverTools: [{ fee: 'search' }] });
  expect(endless).toMatchObject({ bounded: false, priced: true });
  expect(endless.note).toBe('`search` may run any number of times; set a limit in the request');
});

test('an unknown model is unpriced, bounded by the dearest of its provider, and never $0', () => {
  const acme = cashierOf(plainModel('in', 'input: "9", output: "1"') + plainModel('out', 'input: "1", output: "9"'));
  const unknown = quote({ model: 'nope' }, true, acme);
  expect(unknown).toMatchObject({ priced: false, fixed: nanos(9, 2024), perOutputToken: 9_000_000n });
  expect(unknown.note).toBe('`nope` has no price at `acme`; add a row to its price file');
  expect(acme.quote('elsewhere', bound({ model: 'nope' }), NOW, true).max).toBe(unknown.max);
});

test('the clamp: tokens that are left to spend, never more than asked, none where the input does not fit', () => {
  const it = quote({ outputCap: 4000 });
  expect(affordableTokens(it, it.max)).toBe(4000);
  expect(affordableTokens(it, nano(it.max - 1n))).toBe(3999);
  expect(affordableTokens(it, nano(it.fixed + 15_000n))).toBe(1);
  expect(affordableTokens(it, it.fixed)).toBe(0);
  expect(affordableTokens(it, nano(it.fixed - 1n))).toBe(0);
  expect(affordableTokens(it, nano(0n))).toBe(0);
  const free = quote({ outputCap: 50 }, true, cashierOf(plainModel('a', 'input: "3", output: "0"')));
  expect([affordableTokens(free, free.fixed), affordableTokens(free, nano(0n))]).toEqual([50, 0]);
});

const AWKWARD = cashierOf(
  plainModel(
    'a',
    'input: "0.333333", cache_read: "0.0028", cache_write_5m: "0.41", cache_write_1h: "0.7", output: "1.000001", reasoning: "1.3"',
    `        tiers: [{ input_over: 5000, rates: { input: "0.7", cache_read: "0.0057", cache_write_5m: "0.9", cache_write_1h: "1.4", output: "1.500003", reasoning: "1.9" } }]
        service_tiers: { odd: { times: "0.333333" }, priority: { times: "1.7" } }
    regions: { us: "1.1", odd: "1.000003" }
    fees: { search: { per_1000: "4.166667" } }
`,
  ) + plainModel('b', FULL),
  `${HEAD}asked: { tier: { auto: [default, priority] } }\n`,
);

const boundArb = fc.record(
  {
    model: fc.constantFrom('a', 'b', 'nope'),
    bytes: fc.integer({ min: 0, max: 20_000 }),
    outputCap: fc.integer({ min: 0, max: 50_000 }),
    choices: fc.integer({ min: 1, max: 4 }),
    tier: fc.constantFrom('odd', 'priority', 'auto', 'unheard'),
    region: fc.constantFrom('us', 'odd', 'unheard'),
    cacheWrite: fc.constantFrom('5m' as const, '1h' as const),
    opaque: fc.constant([]),
    serverTools: fc.constant([]),
  },
  { requiredKeys: ['model', 'bytes', 'choices', 'opaque', 'serverTools'] },
) as fc.Arbitrary<RequestBound>;

/** Cuts `total` into as many parts as there are weights. */
function split(total: number, weights: readonly number[]): number[] {
  let left = total;
  return weights.map((weight, i) => {
    const part = i === weights.length - 1 ? left : Math.floor(left * weight);
    left -= part;
    return part;
  });
}

test('property: no usage inside the bound costs more than its quote', () => {
  const share = fc.double({ min: 0, max: 1, noNaN: true });
  fc.assert(
    fc.property(boundArb, fc.boolean(), fc.array(share, { minLength: 6, maxLength: 6 }), (request, strict, shares) => {
      const it = AWKWARD.quote('acme', request, NOW, strict);
      const input = Math.floor(it.inputTokens * (shares[4] as number));
      const output = Math.floor(it.outputCap * request.choices * (shares[5] as number));
      const [plain = 0, read = 0, short = 0, long = 0] = split(input, shares.slice(0, 4));
      const [visible = 0, reasoning = 0] = split(output, shares.slice(0, 2));
      const entry: UsageEntry = {
        leaves: {
          input: plain + (request.cacheWrite === undefined ? short : 0) + (request.cacheWrite === '1h' ? 0 : long),
          cache_read: read,
          cache_write_5m: request.cacheWrite === undefined ? 0 : short,
          cache_write_1h: request.cacheWrite === '1h' ? long : 0,
          output: visible,
          reasoning,
        },
        tier: request.tier === 'auto' ? 'priority' : request.tier,
        region: request.region,
      };
      const cost = AWKWARD.cost('acme', request.model, { entries: [entry], certainty: 'exact' }, NOW);
      expect(cost.total).toBeLessThanOrEqual(it.max);
    }),
    { numRuns: 500 },
  );
});

test('property: what the clamp grants is paid for, and one token more is not', () => {
  fc.assert(
    fc.property(boundArb, fc.bigInt({ min: 0n, max: 200_000_000n }), (request, left) => {
      const it = AWKWARD.quote('acme', request, NOW, true);
      expect(it.max).toBe(it.fixed + (it.perOutputToken * BigInt(it.outputCap) + 999n) / 1000n);
      const tokens = affordableTokens(it, nano(left));
      const price = (n: number) => it.fixed + (it.perOutputToken * BigInt(n) + 999n) / 1000n;
      if (tokens > 0) expect(price(tokens)).toBeLessThanOrEqual(left);
      if (tokens < it.outputCap) expect(price(tokens + 1)).toBeGreaterThan(left);
    }),
  );
});

test('property: what the clamp grants is still paid for when writing it makes the request longer', () => {
  fc.assert(
    fc.property(
      boundArb.map((request) => ({ ...request, outputCap: undefined, serverTools: [] })),
      fc.bigInt({ min: 0n, max: 200_000_000n }),
      fc.integer({ min: 0, max: 60 }),
      (request, left, growth) => {
        const before = AWKWARD.quote('acme', request, NOW, true);
        const tokens = affordableTokens(before, nano(left), growth);
        if (tokens === 0) return;
        const after = AWKWARD.quote(
          'acme',
          { ...request, bytes: request.bytes + growth, outputCap: tokens },
          NOW,
          true,
        );
        // a request at the very edge of the dearer prices of long prompts may be carried over it
        fc.pre(after.perOutputToken === before.perOutputToken);
        expect(after.max).toBeLessThanOrEqual(left);
      },
    ),
    { numRuns: 500 },
  );
});
