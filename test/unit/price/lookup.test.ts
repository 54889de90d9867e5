import { expect, test } from 'vitest';
import { epochMs } from '../../../gateway/domain/scalars.ts';
import type { Cashier } from '../../../gateway/price/cashier.ts';
import { compilePrices } from '../../../gateway/price/compile.ts';
import { normalizeModelId } from '../../../gateway/price/model-id.ts';
import { cashierOf, committedFiles, plainModel, sha256 } from './price-tables.ts';

const NOW = epochMs(Date.parse('2026-11-22T12:00:00Z'));

/** The row that a model id is priced by; undefined where it is unpriced. */
function rowOf(cashier: Cashier, id: string, provider = 'acme'): string | undefined {
  const usage = { entries: [{ leaves: { input: 1 } }], certainty: 'exact' } as const;
  const cost = cashier.cost(provider, id, usage, NOW);
  return cost.status === 'unpriced' ? undefined : cost.lines[0]?.model;
}

const RATES = 'input: "1", output: "1"';
const named = (id: string, more: string): string => plainModel(id, RATES).replace('    window', `${more}    window`);
const ACME = cashierOf(
  named('omni', '    aliases: [omni-latest]\n    dated: true\n') +
    named('omni-2024-05-13', '') +
    named('undated', '') +
    named('tuned', '    prefixes: ["ft:omni-2024-08-06:", "ft:omni-"]\n') +
    named('tuned-mini', '    prefixes: ["ft:omni-mini-"]\n'),
);

test.each([
  ['omni', 'omni'],
  ['OMNI', 'omni'],
  ['omni-latest', 'omni'],
  ['omni-20240806', 'omni'],
  ['omni-2024-08-06', 'omni'],
  ['omni-latest-20240806', 'omni'],
  ['omni-2024-05-13', 'omni-2024-05-13'],
  ['undated-20240806', undefined],
  ['omni-2024', undefined],
  ['omni-mini', undefined],
  ['omn', undefined],
  ['ft:omni-2024-08-06:org::id', 'tuned'],
  ['ft:omni-mini-2024-07-18:org::id', 'tuned-mini'],
  ['ft:undated:org::id', undefined],
  ['', undefined],
  ['__proto__', undefined],
])('`%s` is priced by %s', (id, row) => {
  expect(rowOf(ACME, id)).toBe(row);
});

test.each([
  ['models/omni', 'omni', undefined],
  ['publishers/acme/models/omni', 'omni', undefined],
  ['acme/omni', 'omni', undefined],
  ['omni@20250929', 'omni-20250929', undefined],
  ['omni@default', 'omni', undefined],
  ['eu.acme.omni-20250929-v1:0', 'omni-20250929', 'eu'],
  ['acme.omni-20250929-v2:0', 'omni-20250929', undefined],
  ['global.acme.omni', 'omni', 'global'],
  ['omni-3.5-turbo', 'omni-3.5-turbo', undefined],
  ['ft:omni@x', 'ft:omni@x', undefined],
])('`%s` without what hosts write around it is `%s`', (id, plain, region) => {
  expect(normalizeModelId(id, 'acme')).toEqual({ id: plain, region });
});

const SHIPPED = compilePrices(committedFiles(), sha256);

test.each([
  ['openai', 'gpt-4o-2024-05-13', 'gpt-4o-2024-05-13'],
  ['openai', 'gpt-4o-2024-08-06', 'gpt-4o'],
  ['openai', 'gpt-5-codex', 'gpt-5'],
  ['openai', 'ft:gpt-4o-mini-2024-07-18:acme::x1', 'ft:gpt-4o-mini-2024-07-18'],
  ['openai', 'ft:gpt-4o-mini-2099-01-01:acme::x1', undefined],
  ['openai', 'gpt-5-mini-2025-08-07', 'gpt-5-mini'],
  ['anthropic', 'claude-sonnet-4-20250514', 'claude-sonnet-4-0'],
  ['anthropic', 'claude-opus-4-1-20250805', 'claude-opus-4-1'],
  ['anthropic', 'claude-opus-4-5-20251101', 'claude-opus-4-5'],
  ['anthropic', 'claude-haiku-4-5@20251001', 'claude-haiku-4-5'],
  ['anthropic', 'us.anthropic.claude-sonnet-4-5-20250929-v1:0', 'claude-sonnet-4-5'],
  ['anthropic', 'claude-99', undefined],
])('shipped %s: `%s` is priced by %s', (provider, id, row) => {
  expect(rowOf(SHIPPED, id, provider)).toBe(row);
});

test('shipped: a first snapshot costs twice its alias', () => {
  const usage = { entries: [{ leaves: { input: 1_000_000 } }], certainty: 'exact' } as const;
  expect(SHIPPED.cost('openai', 'gpt-4o-2024-05-13', usage, NOW).total).toBe(5_000_000_000n);
  expect(SHIPPED.cost('openai', 'gpt-4o', usage, NOW).total).toBe(2_500_000_000n);
});

test('shipped: no table gives anything away that is not a written zero', () => {
  const usage = { entries: [{ leaves: { input: 1000, output: 1000 } }], certainty: 'exact' } as const;
  // their files price every id, as a written zero
  const own = ['ollama', 'vllm'];
  for (const provider of own)
    expect(SHIPPED.cost(provider, 'no-such-model', usage, NOW)).toMatchObject({ status: 'exact', total: 0n });
  const billed = SHIPPED.providers.filter((provider) => !own.includes(provider));
  for (const provider of billed)
    expect(SHIPPED.cost(provider, 'no-such-model', usage, NOW)).toMatchObject({ status: 'unpriced' });
  for (const provider of [...billed, 'nobody'])
    expect(SHIPPED.cost(provider, 'no-such-model', usage, NOW).total).toBeGreaterThan(0n);
});

test('the prefix `*` answers to every id that no other model of its table answers to', () => {
  const free = plainModel('"*"', 'input: "0", output: "0"', '    prefixes: ["*"]\n');
  const own = plainModel('big', 'input: "1", output: "2"', '    prefixes: [big-]\n');
  const shop = cashierOf(free + own);
  expect([rowOf(shop, 'anything/at:all'), rowOf(shop, 'big-2'), rowOf(shop, 'big')]).toEqual(['*', 'big', 'big']);
  expect(rowOf(shop, 'anything', 'elsewhere')).toBeUndefined();
});
