import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readCsv } from '../../../../gateway/cli/reconcile/csv.ts';
import { countOf, dollars, roundingOf } from '../../../../gateway/cli/reconcile/decimal.ts';
import { readExport } from '../../../../gateway/cli/reconcile/export-rows.ts';
import { anthropicCost, anthropicUsage, openaiActivity, openaiCost } from './exports.ts';

const NOON = Date.parse('2026-11-03T12:00:30Z');
const CALL = { at: NOON, model: 'gpt-4o-mini-2024-07-18', input: 70, cacheRead: 30, cacheWrite: 5, output: 9 };

describe('CSV', () => {
  const cells = (text: string): string[][] => readCsv(text).rows.map((row) => [...row.cells.values()]);

  it('has quoted cells with commas, quotes and line ends, and lines that end either way', () => {
    expect(cells('a,b\r\n"x, ""y""",2\n"two\nlines",3')).toEqual([
      ['x, "y"', '2'],
      ['two\nlines', '3'],
    ]);
    expect(readCsv('a\n"x\ny"\nz').rows.map(({ line }) => line)).toEqual([2, 4]);
    expect(cells('a,b\n1\n\n,\n')).toEqual([
      ['1', ''],
      ['', ''],
    ]);
  });

  it.each([
    ['', /the file is empty/],
    ['a\n"open', /line 2: a quoted cell is never closed/],
    ['a\n"x"y', /line 2: something stands behind a quoted cell/],
    ['a\n1,2', /line 2 has 2 cells, the header has 1/],
  ])('%j is refused', (text, message) => {
    expect(() => readCsv(text)).toThrow(message);
  });

  it('property: what is written with quotes is read as it was', () => {
    const cell = fc.string({ unit: fc.constantFrom('a', ',', '"', '\n', '\r\n', 'ä', '1') });
    fc.assert(
      fc.property(fc.array(fc.tuple(cell, cell), { minLength: 1 }), (rows) => {
        const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`;
        const text = `a,b\n${rows.map((row) => row.map(quoted).join(',')).join('\n')}\n`;
        expect(cells(text)).toEqual(rows.map((row) => row.map((one) => one.trim())));
      }),
    );
  });
});

describe('amounts', () => {
  it('are exact to a picodollar', () => {
    expect(dollars('0.003835980000000000000000000000')).toBe(3_835_980_000n);
    expect(dollars('1e-05')).toBe(10_000_000n);
    expect(dollars('12')).toBe(12_000_000_000_000n);
    expect(dollars('-0.5')).toBe(-500_000_000_000n);
    expect(dollars('0.0000000000005')).toBe(1n);
    expect(dollars('1.5E+2')).toBe(150_000_000_000_000n);
    for (const text of ['', 'free', '1,2', '0x1']) expect(() => dollars(text)).toThrow(/no amount/);
  });

  it('say what their rounding hides', () => {
    expect(roundingOf('0.05')).toBe(5_000_000_000n);
    expect(roundingOf('3')).toBe(500_000_000_000n);
    expect(roundingOf('0.003835980000000')).toBe(0n);
  });

  it('counts come with decimals, with commas or not at all', () => {
    expect(['3.0', '1,200', '', '7'].map(countOf)).toEqual([3, 1200, 0, 7]);
    for (const text of ['-1', '1.5', 'many', '1e99']) expect(() => countOf(text)).toThrow(/no count/);
  });
});

describe('exports', () => {
  it('OpenAI activity: cached and written tokens are inside the input, empty minutes are days without use', () => {
    const { kind, rows, days } = readExport(openaiActivity([CALL]));
    expect([kind, days]).toEqual(['OpenAI activity', ['2026-11-03']]);
    expect(rows).toMatchObject([
      {
        line: 2,
        day: '2026-11-03',
        model: CALL.model,
        key: 'key_gate',
        use: { calls: 1, input: 70, cache_read: 30, cache_write: 5, output: 9 },
      },
    ]);
  });

  it('OpenAI cost: by line item, and a daily total where there is none', () => {
    const text = openaiCost([
      ['2026-11-03', 'gpt-4o-mini-2024-07-18, input_tokens', '0.0000105'],
      ['2026-11-03', 'gpt-4o, web search', '0.01'],
      ['2026-11-03', '', '0.5'],
    ]);
    expect(readExport(text).rows.map(({ model, use }) => [model, use.tokenCost, use.feeCost])).toEqual([
      ['gpt-4o-mini-2024-07-18', 10_500_000n, undefined],
      ['gpt-4o', undefined, 10_000_000_000n],
      [undefined, undefined, 500_000_000_000n],
    ]);
  });

  it('Anthropic usage and cost', () => {
    const call = { ...CALL, model: 'claude-haiku-4-5-20251001' };
    expect(readExport(anthropicUsage([call])).rows).toMatchObject([
      { day: '2026-11-03', key: 'gate', use: { input: 70, cache_read: 30, cache_write: 5, output: 9 } },
    ]);
    const cost = anthropicCost([
      ['2026-11-03', 'Claude Haiku 4.5', 'output', '0.05'],
      ['2026-11-03', '', '', '0.10'],
    ]);
    expect(readExport(cost).rows.map(({ model, key, use }) => [model, key, use.tokenCost, use.feeCost])).toEqual([
      ['Claude Haiku 4.5', 'apikey_1', 50_000_000_000n, undefined],
      [undefined, 'apikey_1', undefined, 100_000_000_000n],
    ]);
  });

  it('days are UTC, however they are written', () => {
    const day = (value: string): string[] => [
      ...readExport(`start_time,model,input_tokens,num_model_requests\n${value},m,1,1`).days,
    ];
    expect(day('1762214399')).toEqual(['2025-11-03']);
    expect(day('1762214400')).toEqual(['2025-11-04']);
    expect(day('2026-11-03T23:30:00')).toEqual(['2026-11-03']);
    expect(day('2026-11-03T23:30:00-05:00')).toEqual(['2026-11-04']);
    expect(day('2026/9/1')).toEqual(['2026-09-01']);
  });

  it.each([
    ['date,tokens\n2026-11-01,3', /its columns are not those of a known export; known are OpenAI activity/],
    ['start_time,end_time,start_time_iso,end_time_iso\n1,2,,', /the export has no usage columns/],
    ['start_time,model,input_tokens,num_model_requests\n1762214399,m,lots,1', /line 2: `lots` is no count/],
    ['start_time,model,input_tokens,num_model_requests\nsoon,m,1,1', /line 2: `soon` is no day/],
    [
      'start_time,model,input_tokens,num_model_requests\n1762214399,,4,1',
      /line 2: tokens without a model; export with "group by: model"/,
    ],
  ])('%j is refused', (text, message) => {
    expect(() => readExport(text)).toThrow(message);
  });
});
