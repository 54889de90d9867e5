import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import type { Json } from '../../../gateway/domain/json.ts';
import { nanoToUsd } from '../../../gateway/domain/money.ts';
import { epochMs } from '../../../gateway/domain/scalars.ts';
import type { Cashier } from '../../../gateway/price/cashier.ts';
import { compilePrices } from '../../../gateway/price/compile.ts';
import { PriceFault } from '../../../gateway/price/price-fault.ts';
import type { ToolPrice } from '../../../gateway/price/tool-price.ts';
import { committedFiles, HEAD, plainModel, sha256 } from './price-tables.ts';

const NOW = epochMs(Date.parse('2026-11-22T12:00:00Z'));
const models = { path: 'acme.yaml', text: `${HEAD}models:\n${plainModel('m', 'input: "1", output: "2"')}` };
const toolsYaml = (tools: string): string => `currency: USD\ntools:\n${tools}`;
const cashier = (tools: string): Cashier =>
  compilePrices([models, { path: 'pricing/tools.yaml', text: toolsYaml(tools) }], sha256);

function problems(...texts: string[]): string[] {
  const files = texts.map((text, i) => ({ path: i === 0 ? 'tools.yaml' : `more-${i}.tools.yaml`, text }));
  try {
    compilePrices([models, ...files], sha256);
  } catch (error) {
    if (!(error instanceof PriceFault)) throw error;
    return error.message.split('\n');
  }
  return [];
}

const row = (rest: string, from = '2026-01-01'): string => `    rows:\n      - from: ${from}\n        ${rest}\n`;
const tool = (name: string, rest: string, more = ''): string =>
  `  - tool: ${name}\n${more}    checked: 2026-11-22\n${row(rest)}`;
const usd = (price: ToolPrice | undefined): string | undefined => price && nanoToUsd(price.amount);

const PAGES = tool(
  'render',
  `per_call: "0.01"
        units:
          - { unit: page, in: arguments, at: /pages, usd: "0.002", max: 50 }
          - { unit: result, in: result, at: /structuredContent/items, count: items, usd: "0.001" }`,
);

describe('lookup', () => {
  const shop = cashier(
    [
      tool('search', 'per_call: "0.005"'),
      tool('search', 'per_call: "0.001"', '    server: cheap\n'),
      tool('"*"', 'per_call: "0"', '    server: files\n'),
      tool('write_*', 'per_call: "0.02"', '    server: files\n'),
      tool('write_log', 'per_call: "0.03"', '    server: files\n    aliases: [mcp__files__write_log]\n'),
    ].join(''),
  );
  it.each<[string | undefined, string, string | undefined]>([
    [undefined, 'search', '0.005'],
    ['elsewhere', 'search', '0.005'],
    ['cheap', 'search', '0.001'],
    ['files', 'read', '0'],
    ['files', 'write_text', '0.02'],
    ['files', 'write_log', '0.03'],
    ['files', 'search', '0'],
    ['cheap', 'read', undefined],
    [undefined, 'Search', undefined],
    [undefined, 'mcp__files__write_log', '0.03'],
    [undefined, 'write_log', undefined],
  ])('%s/%s costs %s', (server, name, expected) => {
    expect(usd(shop.tool(server, name, {}, NOW))).toBe(expected);
  });
});

describe('what a call costs', () => {
  const shop = cashier(PAGES);

  it('counts arguments before it runs, and marks what only the result will show as unbounded', () => {
    const quote = shop.tool(undefined, 'render', { pages: 7 }, NOW);
    expect(quote).toMatchObject({ status: 'estimated', bounded: false });
    expect(usd(quote)).toBe('0.024');
  });

  it('counts the result once it is there', () => {
    const run = { result: { structuredContent: { items: [1, 2, 3] } }, failed: false };
    const cost = shop.toolCost(undefined, 'render', { pages: 7 }, run, NOW);
    expect(cost).toMatchObject({ status: 'exact', bounded: true });
    expect(usd(cost)).toBe('0.027');
    expect(cost?.lines.map(({ model, leaf, count, amount }) => [model, leaf, count, amount])).toEqual([
      ['render', 'fee:call', 1, 10_000_000_000n],
      ['render', 'fee:page', 7, 14_000_000_000n],
      ['render', 'fee:result', 3, 3_000_000_000n],
    ]);
  });

  it.each<[Json, string]>([
    [{ pages: '12' }, '0.034'],
    [{ pages: 2.1 }, '0.016'],
    [{ pages: 0 }, '0.01'],
    [{ pages: 400 }, '0.81'],
  ])('%j is read as a count', (args, expected) => {
    expect(usd(shop.tool(undefined, 'render', args, NOW))).toBe(expected);
  });

  it.each<[Json]>([[{}], [{ pages: -1 }], [{ pages: 'many' }], [{ pages: 1e300 }], [{ pages: null }], ['no object']])(
    '%j cannot be read: the bound stands in, as an estimate',
    (args) => {
      expect(shop.tool(undefined, 'render', args, NOW)?.status).toBe('estimated');
      expect(usd(shop.tool(undefined, 'render', args, NOW))).toBe('0.11');
    },
  );

  it('reads words, texts, bytes, lots and what is absent', () => {
    const one = (unit: string): Cashier => cashier(tool('t', `units: [{ unit: u, in: arguments, at: /x, ${unit} }]`));
    const price = (unit: string, args: Json): [string | undefined, string | undefined] => {
      const found = one(unit).tool(undefined, 't', args, NOW);
      return [usd(found), found?.status];
    };
    const credits = 'usd: "0.008", values: { basic: 1, advanced: 2 }, absent: 1, max: 2';
    expect(price(credits, { x: 'advanced' })).toEqual(['0.016', 'exact']);
    expect(price(credits, {})).toEqual(['0.008', 'exact']);
    expect(price(credits, { x: 'ultra' })).toEqual(['0.016', 'estimated']);
    expect(price(credits, { x: ['advanced'] })).toEqual(['0.016', 'estimated']);
    expect(price('usd: "0.000015", count: characters', { x: 'añ😀' })).toEqual(['0.000045', 'exact']);
    expect(price('usd: "0.000015", count: bytes', { x: 'añ😀' })).toEqual(['0.000105', 'exact']);
    expect(price('usd: "5", per: 1000', { x: 1 })).toEqual(['0.005', 'exact']);
    expect(price('usd: "0.09", per: 1000000000', { x: 1 })).toEqual(['0.000000001', 'exact']);
    expect(price('usd: "1", count: items', { x: { a: 1, b: 2 } })).toEqual(['2', 'exact']);
  });

  it('a failed call is free only where that is written; a result never seen is charged its bound', () => {
    const rows = (more: string): Cashier =>
      cashier(tool('t', `per_call: "0.5"\n        ${more}units: [{ unit: u, in: result, at: /n, usd: "1", max: 4 }]`));
    const failed = { result: { n: 1 }, failed: true };
    expect(usd(rows('').toolCost(undefined, 't', {}, failed, NOW))).toBe('1.5');
    expect(rows('failed: free\n        ').toolCost(undefined, 't', {}, failed, NOW)).toMatchObject({
      amount: 0n,
      status: 'exact',
    });
    const unseen = rows('').toolCost(undefined, 't', {}, { result: undefined, failed: false }, NOW);
    expect([usd(unseen), unseen?.status, unseen?.bounded]).toEqual(['4.5', 'estimated', true]);
  });

  it('takes the row in force when the call started; before the first one it is an estimate', () => {
    const shop = cashier(
      `  - tool: t\n    checked: 2026-11-22\n    rows:\n      - { from: 2026-06-01, per_call: "2" }\n      - { from: 2026-01-01, per_call: "1" }\n`,
    );
    const at = (day: string): unknown => {
      const price = shop.tool(undefined, 't', {}, epochMs(Date.parse(day)));
      return [usd(price), price?.status];
    };
    expect(at('2026-05-31T23:59:59.999Z')).toEqual(['1', 'exact']);
    expect(at('2026-06-01')).toEqual(['2', 'exact']);
    expect(at('2025-12-31')).toEqual(['1', 'estimated']);
  });

  test('property: no arguments make it throw, and a bounded quote is never below the cost', () => {
    const bounded = cashier(
      tool(
        't',
        'per_call: "0.001"\n        units: [{ unit: a, in: arguments, at: /a, usd: "0.01", max: 9 }, { unit: r, in: result, at: /r, count: items, usd: "0.02", max: 6 }]',
      ),
    );
    fc.assert(
      fc.property(fc.jsonValue(), fc.array(fc.nat(), { maxLength: 6 }), fc.boolean(), (value, items, failed) => {
        for (const args of [value as Json, { a: value as Json }]) {
          const quote = bounded.tool(undefined, 't', args, NOW) as ToolPrice;
          const cost = bounded.toolCost(undefined, 't', args, { result: { r: items }, failed }, NOW) as ToolPrice;
          expect(quote.bounded && cost.bounded).toBe(true);
          expect(cost.amount).toBeLessThanOrEqual(quote.amount);
          const sum = cost.lines.reduce((all, { amount }) => all + amount, 0n);
          expect((sum + 999n) / 1000n).toBe(cost.amount);
        }
      }),
    );
  });
});

describe('mistakes', () => {
  it.each<[string, string, string[]]>([
    [
      'a number for an amount',
      tool('t', 'per_call: 0.01'),
      ['tools.yaml:7:19: `per_call` is the number `0.01`; write it as a string, "0.01"'],
    ],
    [
      'ten decimals',
      tool('t', 'per_call: "0.0000000001"'),
      ['tools.yaml:7:19: `"0.0000000001"` is not a plain decimal with at most 9 decimals, such as "0.005"'],
    ],
    ['a typo', tool('t', 'per_cal: "0.01"'), ['tools.yaml:7:9: unknown key `per_cal`; did you mean `per_call`?']],
    [
      'no price at all',
      tool('t', 'failed: free'),
      ['tools.yaml:6:9: the row names no price; write `per_call`, `units` or both (free is `per_call: "0"`)'],
    ],
    [
      'a pointer without a slash',
      tool('t', 'units: [{ unit: u, in: arguments, at: pages, usd: "1" }]'),
      ['tools.yaml:7:47: `at`: a pointer starts with `/`, such as `/pages`; "" is the whole value'],
    ],
    [
      'two ways to count',
      tool('t', 'units: [{ unit: u, in: arguments, at: /a, usd: "1", count: items, values: { a: 1 } }]'),
      ['tools.yaml:7:61: `values` says what counts; take `count` out'],
    ],
    [
      'a line twice',
      tool('t', 'units: [{ unit: call, in: arguments, at: /a, usd: "1" }]'),
      ['tools.yaml:7:25: a line of the cost is already called `call`; choose another name'],
    ],
    [
      'a star inside a name',
      tool('"a*b"', 'per_call: "1"'),
      ['tools.yaml:3:11: `*` in `a*b` stands for the rest of a name; put it at the end'],
    ],
    [
      'two prices for one tool',
      tool('t', 'per_call: "1"') + tool('t', 'per_call: "2"'),
      ['tools.yaml:8:11: the tool `t` has another price in tools.yaml; remove one of the two'],
    ],
  ])('%s is refused where it stands', (_, tools, expected) => {
    expect(problems(toolsYaml(tools))).toEqual(expected);
  });

  it('two rows of one day, and one tool in two files', () => {
    const twice = `  - tool: t\n    checked: 2026-11-22\n    rows: [{ from: 2026-01-01, per_call: "1" }, { from: 2026-01-01, per_call: "2" }]\n`;
    expect(problems(toolsYaml(twice))).toEqual([
      'tools.yaml:5:57: another row begins on `2026-01-01`; give one another date',
    ]);
    const plain = toolsYaml(tool('t', 'per_call: "1"'));
    const aliased = tool('x', 'per_call: "1"', '    server: s\n    aliases: [t]\n');
    expect(problems(plain, toolsYaml(aliased))).toEqual([
      'more-1.tools.yaml:5:15: the tool `t` has another price in tools.yaml; remove one of the two',
    ]);
    expect(problems(plain, plain)).toEqual([
      'more-1.tools.yaml:3:11: the tool `t` has another price in tools.yaml; remove one of the two',
    ]);
  });

  it('tool prices alone are no price table', () => {
    expect(() => compilePrices([{ path: 'tools.yaml', text: 'currency: USD\ntools: []\n' }], sha256)).toThrow(
      'there is no price table',
    );
  });
});

describe('the digest', () => {
  it('changes with a tool price and with nothing else', () => {
    const digest = (tools: string): string => cashier(tools).digest;
    expect(digest(tool('t', 'per_call: "1"'))).not.toBe(digest(tool('t', 'per_call: "2"')));
    expect(digest(tool('t', 'per_call: "1"'))).not.toBe(digest(''.concat(tool('u', 'per_call: "1"'))));
    expect(digest(tool('t', 'per_call: "1"'))).toBe(digest(tool('t', 'per_call: "1.00"').replace('11-22', '10-01')));
    expect(digest(tool('t', 'per_call: "1"') + tool('u', 'per_call: "1"'))).toBe(
      digest(tool('u', 'per_call: "1"') + tool('t', 'per_call: "1"')),
    );
  });
});

test('the shipped tool prices compile beside the tables', () => {
  const files = committedFiles();
  expect(files.some(({ path }) => path.endsWith('tools.yaml'))).toBe(true);
  expect(() => compilePrices(files, sha256)).not.toThrow();
});
