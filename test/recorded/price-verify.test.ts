import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { committedCashier, readRecords, verify } from '../../scripts/price-verify.ts';

const records = readRecords(join(process.env['RECORDED'] ?? '', 'prices.jsonl'));
const verdict = verify(committedCashier(), records);

/** The first two columns of the table in KNOWN_DIFFERENCES.md. */
const known = readFileSync('pricing/KNOWN_DIFFERENCES.md', 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('| '))
  .slice(1)
  .map((line) => line.split('|').map((cell) => cell.trim()))
  .map(([, provider = '', model = '']) => ({ provider, model }));

test('every row is judged', () => {
  expect(verdict.rows).toBe(records.length);
  expect(verdict.within + verdict.off.length).toBe(verdict.rows);
  expect(verdict.rows).toBeGreaterThan(0);
});

test.each(['anthropic', 'openai', 'google', 'mistral', 'groq'])('%s: at least 99 % within 1e-9 USD', (provider) => {
  const { rows = 0, within = 0 } = verdict.by_provider[provider] ?? {};
  expect(rows).toBeGreaterThan(0);
  expect(within / rows).toBeGreaterThanOrEqual(0.99);
});

test('every difference is explained in KNOWN_DIFFERENCES.md, and every explanation is needed', () => {
  const covers = (entry: { provider: string; model: string }, provider: string, model: string): boolean =>
    entry.provider === provider && (entry.model === '*' || entry.model === model);
  const unexplained = verdict.off.filter(
    ({ provider, model }) => !known.some((entry) => covers(entry, provider, model)),
  );
  expect(unexplained).toEqual([]);
  const idle = known.filter((entry) => !verdict.off.some(({ provider, model }) => covers(entry, provider, model)));
  expect(idle).toEqual([]);
});

test('nothing that has no price is free', () => {
  for (const { status, ours } of verdict.off)
    if (status === 'unpriced' || status === 'no_table') expect(ours.input_usd + ours.output_usd).toBeGreaterThan(0);
});
