import { findProvider } from '@pydantic/genai-prices';
import { describe, expect, it } from 'vitest';
import { compareTables, dayOf } from '../../../../gateway/cli/price/compare-tables.ts';
import { openPublicTable, type PublicModel } from '../../../../gateway/cli/price/public-table.ts';
import { readTables, SHIPPED } from '../../../../gateway/cli/price/read-tables.ts';
import { staleModels } from '../../../../gateway/cli/price/stale-models.ts';
import { readSource } from '../../../../gateway/domain/source.ts';
import { compilePrices } from '../../../../gateway/price/compile.ts';
import { checkPriceFile } from '../../../../gateway/price/mistakes.ts';
import type { PriceFile } from '../../../../gateway/price/schema.ts';
import { HEAD, sha256 } from '../../price/price-tables.ts';

const NOW = dayOf(Date.parse('2026-11-22T15:00:00Z'));

const TABLE = `${HEAD}fees: { web_search: { per_1000: "10" } }
models:
  - id: big
    aliases: [big-latest]
    window: 900000
    max_output: 8000
    checked: 2026-11-22
    rows:
      - from: 2025-01-01
        rates: { input: "2", cache_read: "0.20", output: "10" }
        tiers: [{ input_over: 200000, rates: { input: "4", cache_read: "0.40", output: "15" } }]
  - id: noted
    window: 1000
    max_output: 10
    checked: 2026-08-01
    rows: [{ from: 2025-01-01, rates: { input: "1", output: "1" } }]
    discrepancy: [{ on: 2026-11-22, note: "they are late" }]
`;
const cashier = compilePrices([{ path: 'acme.yaml', text: TABLE }], sha256);
const { file } = checkPriceFile(readSource('acme.yaml', TABLE));
const files = [file as PriceFile];

const compare = (...models: PublicModel[]) => compareTables(cashier, files, () => models, NOW);
const model = (id: string, ...rates: PublicModel['rates']): PublicModel => ({ id, rates, incomparable: [] });
const flat = (leaf: PublicModel['rates'][number]['leaf'], base: number) => ({ leaf, base, steps: [] });

describe('two tables', () => {
  it('that say the same do not differ, whatever alias one of them uses', () => {
    const steps = [{ over: 200_000, usd: 4 }];
    const same = model('big-latest', { leaf: 'input', base: 2, steps }, flat('fee:web_search', 10));
    expect(compare(same)).toMatchObject({ compared: 2, differences: [], missing: [] });
  });

  it('differ in a rate, a step of long prompts or its place, and a fee; each is named with both figures', () => {
    const found = compare(
      model(
        'big',
        flat('output', 10),
        { leaf: 'input', base: 2, steps: [{ over: 128_000, usd: 4 }] },
        flat('cache_read', 0.5),
        flat('fee:web_search', 14),
      ),
    ).differences.map(({ leaf, prompt, ours, theirs, known }) => [leaf, prompt, ours, theirs, known]);
    expect(found).toEqual([
      ['output', 200_001, 15, 10, undefined],
      ['input', 128_001, 2, 4, undefined],
      ['cache_read', 1000, 0.2, 0.5, undefined],
      ['fee:web_search', 1000, 10, 14, undefined],
    ]);
  });

  it('a dated note explains a difference; a leaf without a price here is a difference too', () => {
    const [explained] = compare(model('noted', flat('input', 3))).differences;
    expect(explained).toMatchObject({ ours: 1, theirs: 3, known: ['2026-11-22: they are late'] });
    expect(compare(model('big', flat('input_audio', 40))).differences).toMatchObject([{ ours: 2, theirs: 40 }]);
  });

  it('models that only they have are missing, and units that no model has here are named', () => {
    const odd = { id: 'big', rates: [flat('input', 2)], incomparable: ['audio_hours'] };
    const found = compare(model('small', flat('input', 1)), { ...odd, rates: [] }, odd);
    expect(found).toMatchObject({ missing: ['acme/small', 'acme/big'], compared: 1 });
    expect(found.incomparable).toContain('acme/big: audio_hours');
    expect(compareTables(cashier, files, () => undefined, NOW)).toMatchObject({ unknown: ['acme'], compared: 0 });
  });
});

describe('stale prices', () => {
  const at = Date.parse('2026-11-22T15:00:00Z');
  it('every model counts where no use is known', () => {
    expect(staleModels(files, at, 60, undefined, 40)).toEqual([
      { provider: 'acme', model: 'noted', checked: '2026-08-01', age_days: 113, calls: undefined },
    ]);
    expect(staleModels(files, at, 113, undefined, 40)).toEqual([]);
    expect(staleModels(files, Date.parse('2027-06-01'), 60, undefined, 40)).toHaveLength(2);
  });

  it('only the most used count where use is known', () => {
    const used = new Map([
      ['acme/big', 900],
      ['acme/noted', 3],
    ]);
    expect(staleModels(files, at, 60, used, 1)).toEqual([]);
    expect(staleModels(files, at, 60, used, 2)).toMatchObject([{ model: 'noted', calls: 3 }]);
  });
});

describe('the shipped tables', () => {
  it('agree with the public one, or say why not', async () => {
    const { cashier: shipped, files: tables } = readTables(SHIPPED);
    const day = dayOf(Date.parse('2026-11-22'));
    const found = compareTables(shipped, tables, await openPublicTable(), day);
    expect(found.compared).toBeGreaterThan(700);
    expect(found.differences.filter(({ known }) => known === undefined)).toEqual([]);
  });

  it('a public table that is not installed, or is another package, is refused with what to do', async () => {
    await expect(openPublicTable('@nobody/no-prices')).rejects.toMatchObject({
      exitCode: 2,
      message: expect.stringContaining('npm install --no-save @nobody/no-prices'),
    });
    await expect(openPublicTable('yaml')).rejects.toMatchObject({ exitCode: 2 });
  });

  it('the public table is read at a time: rows begin on their day and hold in their hours', async () => {
    const table = await openPublicTable();
    const rate = (provider: string, id: string, at: string) =>
      table(provider, dayOf(Date.parse(at)))
        ?.find((one) => one.id === id)
        ?.rates.find(({ leaf }) => leaf === 'input')?.base;
    expect(rate('openai', 'gpt-5.6-sol', '2026-08-20')).toBe(5);
    expect(rate('openai', 'gpt-5.6-sol', '2026-08-21')).toBe(4);
    expect(table('openai', NOW)).toHaveLength(findProvider({ providerId: 'openai' })?.models.length ?? 0);
    expect(table('nobody', NOW)).toBeUndefined();
  });
});
