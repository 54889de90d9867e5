import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readTables, SHIPPED } from '../../../../gateway/cli/price/read-tables.ts';
import { compareUse, type Difference } from '../../../../gateway/cli/reconcile/compare-use.ts';
import { readExport } from '../../../../gateway/cli/reconcile/export-rows.ts';
import { ourUse } from '../../../../gateway/cli/reconcile/our-use.ts';
import { pairUp } from '../../../../gateway/cli/reconcile/pair-up.ts';
import { namesOfModels } from '../../../../gateway/cli/reconcile/place-of-model.ts';
import { picoToUsd } from '../../../../gateway/domain/money.ts';
import type { SealEntry } from '../../../../gateway/domain/receipt.ts';
import { epochMs, pico } from '../../../../gateway/domain/scalars.ts';
import { openEmbedded } from '../../../../gateway/stores/embedded/open-embedded.ts';
import { type Bill, dayOf, type KnownCall, openaiActivity, openaiCost, receiptOf } from './exports.ts';

const { cashier } = readTables(SHIPPED);
const START = Date.parse('2026-11-01T00:00:00Z');
const DAY = 86_400_000;
const names = namesOfModels(cashier, 'openai', epochMs(START));
const NONE = { tokens: 0, cost: 0 };

const linesOf = ({ at, model, input, cacheRead, cacheWrite, output }: KnownCall) =>
  cashier
    .cost(
      'openai',
      model,
      {
        certainty: 'exact',
        entries: [{ leaves: { input, cache_read: cacheRead, cache_write_5m: cacheWrite, output } }],
      },
      epochMs(at),
    )
    .lines.map(({ amount, ...line }) => ({ ...line, pico: amount.toString() }));

const recorded = (calls: readonly KnownCall[]): SealEntry[] =>
  calls.map((call, i) => receiptOf(call, i, linesOf(call)));

/** What the provider would bill for calls, by day and model. */
function billFor(calls: readonly KnownCall[], times = 1): Bill {
  const bill = new Map<string, bigint>();
  for (const call of calls) {
    const name = `${dayOf(call.at)}\n${call.model}, tokens`;
    bill.set(name, (bill.get(name) ?? 0n) + linesOf(call).reduce((sum, line) => sum + BigInt(line.pico), 0n));
  }
  return [...bill].map(([name, amount]) => {
    const [day = '', item = ''] = name.split('\n');
    return [day, item, picoToUsd(pico(BigInt(Math.round(Number(amount) * times))))] as const;
  });
}

/** Compares exports with receipts that stand in an index of their own, one index for each list. */
function reconcile(
  exports: readonly string[],
  gates: readonly (readonly SealEntry[])[],
  tolerance = NONE,
): Difference[] {
  const folder = mkdtempSync(join(tmpdir(), 'tollgate-reconcile-'));
  try {
    const states = gates.map((receipts, g) => {
      const state = join(folder, `${g}`);
      mkdirSync(state);
      const store = openEmbedded(join(state, 'tollgate.db'), { clock: { now: () => epochMs(START), ticks: () => 0 } });
      for (const [i, receipt] of receipts.entries()) store.calls.add(i + 1, receipt);
      store.close();
      return state;
    });
    const files = exports.map(readExport);
    const days = files.flatMap((file) => file.days).sort();
    const ours = ourUse(states, days[0] as string, days.at(-1) as string, (_r, day, model) => ({
      day,
      model: names(model),
      key: undefined,
    }));
    const price = () => 0n;
    return [
      ...compareUse(
        pairUp({ rows: files.flatMap(({ rows }) => rows), ours, names, mapped: new Map(), price }),
        tolerance,
      ),
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const call = fc.record({
  at: fc.nat({ max: 5 * DAY - 1 }).map((ms) => START + ms),
  model: fc.constantFrom('gpt-4o-mini-2024-07-18', 'gpt-4o', 'gpt-5.4', 'gpt-4o-mini'),
  input: fc.nat({ max: 5000 }),
  cacheRead: fc.nat({ max: 3000 }),
  cacheWrite: fc.constant(0),
  output: fc.integer({ min: 1, max: 900 }),
});
const traffic = fc.array(call, { minLength: 1, maxLength: 25 });
const RUNS = { numRuns: 25 };
const kinds = (found: readonly Difference[]): string[] => found.map(({ kind, excuse }) => excuse ?? kind);

describe('property: over random traffic', () => {
  it('the provider’s own lists agree with the record, also where several gates share the traffic', () => {
    fc.assert(
      fc.property(traffic, fc.nat(), (calls, split) => {
        const receipts = recorded(calls);
        const cut = split % (calls.length + 1);
        const gates = [receipts.slice(0, cut), receipts.slice(cut)];
        expect(reconcile([openaiActivity(calls)], [receipts])).toEqual([]);
        expect(reconcile([openaiActivity(calls), openaiCost(billFor(calls))], gates)).toEqual([]);
        expect(reconcile([openaiCost(billFor(calls))], gates)).toEqual([]);
      }),
      RUNS,
    );
  });

  it('one call that went around the gate is found, to the token, with the key it used', () => {
    fc.assert(
      fc.property(traffic, call, (calls, stray) => {
        const text = openaiActivity(calls) + openaiActivity([stray], 'key_rogue').split('\r\n').slice(1).join('\r\n');
        const days = new Set(calls.map(({ at }) => dayOf(at)));
        const found = reconcile([text], [recorded(calls)]).filter(({ excuse }) => excuse === undefined);
        const size = stray.input + stray.cacheRead + stray.output;
        expect(found.map(({ kind, tokens, place }) => [kind, tokens, place.day])).toEqual([
          ['unmetered', size, dayOf(stray.at)],
        ]);
        expect(found[0]?.keys).toContainEqual(['key_rogue', size]);
        expect(days.size).toBeGreaterThan(0);
      }),
      RUNS,
    );
  });

  it('a call that the provider does not list is found', () => {
    fc.assert(
      fc.property(traffic, call, (calls, extra) => {
        const within = { ...extra, at: (calls[0] as KnownCall).at };
        const found = reconcile([openaiActivity(calls)], [recorded([...calls, within])]);
        expect(found).toHaveLength(1);
        expect(['absent', 'overcounted']).toContain(found[0]?.kind);
        expect(found[0]?.tokens).toBe(-(extra.input + extra.cacheRead + extra.output));
      }),
      RUNS,
    );
  });

  it('the same tokens at another price are drift on every day and model, and nothing else', () => {
    fc.assert(
      fc.property(traffic, fc.constantFrom(0.5, 1.1, 2), (calls, times) => {
        const big = calls.map((one) => ({ ...one, output: one.output + 1000 }));
        const found = reconcile([openaiActivity(big), openaiCost(billFor(big, times))], [recorded(big)], {
          tokens: 0.005,
          cost: 0.005,
        });
        const places = new Set(big.map(({ at, model }) => `${dayOf(at)} ${names(model)}`));
        expect(new Set(kinds(found))).toEqual(new Set(['price_drift']));
        expect(found).toHaveLength(places.size);
        expect(reconcile([openaiCost(billFor(big, times))], [recorded(big)])).toHaveLength(places.size);
      }),
      RUNS,
    );
  });
});

describe('what is no difference', () => {
  const one: KnownCall = {
    at: START + DAY - 5,
    model: 'gpt-4o',
    input: 1000,
    cacheRead: 0,
    cacheWrite: 0,
    output: 50,
  };
  const steady = [0, 1, 2].map((d) => ({ ...one, at: START + d * DAY + DAY / 2, input: 9000 }));

  it('a call that ran past midnight, and a chain of them', () => {
    const billed = [...steady, { ...one, at: START + DAY + 5 }];
    expect(kinds(reconcile([openaiActivity(billed)], [recorded([...steady, one])]))).toEqual(['shifted', 'shifted']);
    const second = { ...one, at: START + 2 * DAY - 5, input: 300 };
    const both = [...steady, { ...one, at: START + DAY + 5 }, { ...second, at: START + 2 * DAY + 5 }];
    expect(kinds(reconcile([openaiActivity(both)], [recorded([...steady, one, second])]))).toEqual([
      'shifted',
      'shifted',
      'shifted',
    ]);
    // two days apart is no midnight
    const late = [...steady, { ...one, at: START + 2 * DAY + 5 }];
    expect(kinds(reconcile([openaiActivity(late)], [recorded([...steady, one])]))).toEqual([
      'overcounted',
      'unmetered',
    ]);
  });

  it('a call that ended without usage and was charged a hold that covers it', () => {
    const unseen = (cost_usd: string) =>
      receiptOf(one, 0, [], { usage: undefined, certainty: undefined, cost_usd, ending: 'lapsed' });
    expect(kinds(reconcile([openaiActivity([one])], [[unseen('0.02')]]))).toEqual(['held']);
    const bill = openaiCost(billFor([one]));
    expect(kinds(reconcile([openaiActivity([one]), bill], [[unseen('0.02')]]))).toEqual(['held']);
    expect(kinds(reconcile([openaiActivity([one]), bill], [[unseen('0.000001')]]))).toEqual(['unmetered']);
  });

  it('what is within the tolerance, and what was denied or refused', () => {
    const denied = receiptOf(one, 7, [], { usage: undefined, cost_usd: '0', ending: 'denied', status: 403 });
    const bit = { ...one, input: 1004 };
    expect(reconcile([openaiActivity([bit])], [[...recorded([one]), denied]], { tokens: 0.005, cost: 0 })).toEqual([]);
    expect(kinds(reconcile([openaiActivity([bit])], [[...recorded([one]), denied]]))).toEqual(['unmetered']);
  });

  it('the same tokens of which other ones were cached is one', () => {
    const warm = { ...one, input: 400, cacheRead: 600 };
    expect(kinds(reconcile([openaiActivity([warm])], [recorded([one])]))).toEqual(['kinds']);
  });

  it('daily totals without models are compared with the whole day', () => {
    const [[day, , usd] = ['', '', '']] = billFor([one]);
    expect(reconcile([openaiCost([[day, '', usd]])], [recorded([one])])).toEqual([]);
    expect(kinds(reconcile([openaiCost([[day, '', '0.5']])], [recorded([one])]))).toEqual(['cost']);
  });

  it('names of one model meet: alias, dated id and display name', () => {
    const claude = namesOfModels(cashier, 'anthropic', epochMs(START));
    expect(claude('Claude Haiku 4.5')).toBe(claude('claude-haiku-4-5-20251001'));
    expect(claude('Claude Sonnet 4.5 (Batch)')).toBe('claude-sonnet-4-5');
    expect(claude('Claude Haiku 3.5')).toBe(claude('claude-3-5-haiku-20241022'));
    expect(names('GPT-4o-mini')).toBe('gpt-4o-mini');
    expect(names('something-else')).toBe('something-else');
  });
});
