import { expect, test } from 'vitest';
import type { SourceFile } from '../../../gateway/domain/source.ts';
import { compilePrices } from '../../../gateway/price/compile.ts';
import { PriceFault } from '../../../gateway/price/price-fault.ts';
import { committedFiles, HEAD, plainModel, sha256 } from './price-tables.ts';

const file = (text: string, path = 'acme.yaml'): SourceFile => ({ path, text });

function problems(...files: SourceFile[]): string[] {
  try {
    compilePrices(files, sha256);
  } catch (error) {
    if (!(error instanceof PriceFault)) throw error;
    return error.problems.map(({ file: name, line, column, message }) => `${name}:${line}:${column}: ${message}`);
  }
  return [];
}

const only = (models: string, head = HEAD): string[] => problems(file(`${head}models:\n${models}`));

const RATES = 'input: "3", cache_read: "0.30", output: "15"';

test('the example of the design page compiles', () => {
  const example = `provider: anthropic
currency: USD
sources: ["https://platform.claude.com/docs/en/about-claude/pricing"]
hosts: [api.anthropic.com]
input_includes: []
output_includes: [reasoning]
models:
  - id: claude-sonnet-4-5
    aliases: [claude-sonnet-4-5-20250929]
    dated: true
    window: 200000
    max_output: 64000
    checked: 2026-11-20
    rows:
      - from: 2025-09-29
        rates: { input: "3", cache_read: "0.30", cache_write_5m: "3.75", cache_write_1h: "6", output: "15" }
        tiers: [{ input_over: 200000, rates: { input: "6", cache_read: "0.60", cache_write_5m: "7.50", cache_write_1h: "12", output: "22.50" } }]
        service_tiers: { batch: { times: "0.5" } }
    regions: { us: "1.1" }
    fees: { web_search: { per_1000: "10" }, web_fetch: { per_1000: "0" } }
    discrepancy: []
`;
  expect(problems(file(example))).toEqual([]);
});

test('the committed price files compile', () => {
  expect(problems(...committedFiles())).toEqual([]);
});

test.each<[string, string, string]>([
  [
    'a number for a rate',
    'input: 3, output: "15"',
    'acme.yaml:11:25: `input` is the number `3`; write it as a string, "3"',
  ],
  [
    'seven decimals',
    'input: "0.1234567", output: "15"',
    'acme.yaml:11:25: `"0.1234567"` is not a plain decimal with at most 6 decimals, such as "0.30"',
  ],
  [
    'an exponent',
    'input: "3e-1", output: "15"',
    'acme.yaml:11:25: `"3e-1"` is not a plain decimal with at most 6 decimals, such as "0.30"',
  ],
  [
    'a negative rate',
    'input: "-3", output: "15"',
    'acme.yaml:11:25: `"-3"` is not a plain decimal with at most 6 decimals, such as "0.30"',
  ],
  [
    'an unknown leaf',
    'input: "3", outputs: "15", output: "15"',
    'acme.yaml:11:30: unknown key `outputs`; did you mean `output`?',
  ],
  ['no output rate', 'input: "3"', 'acme.yaml:11:16: `output` is missing; write it in `rates`'],
])('%s is refused where it stands', (_, rates, message) => {
  expect(only(plainModel('a', rates))).toEqual([message]);
});

test('every mistake of every file is reported at once, in file order', () => {
  const first = `${HEAD}hots: [acme.test]
models:
  - id: a
    window: "200000"
    max_output: 8000
    checked: yesterday
    rows:
      - from: 2025-01-01
        rates: { input: 3, output: "15" }
        tiers: [{ input_over: 100, rates: { output: "20" } }]
      - from: 2025-01-01
        rates: { input: "3", output: "15" }
  - id: A
    window: 1
    max_output: 1
    checked: 2026-01-01
    rows: []
`;
  const second = file('provider: [', 'broken.yaml');
  const found = problems(file(first), second);
  expect(found.filter((line) => line.startsWith('acme.yaml'))).toEqual([
    'acme.yaml:4:1: unknown key `hots`; did you mean `hosts`?',
    'acme.yaml:7:13: `window` must be a number',
    'acme.yaml:9:14: `yesterday` is not a date such as 2026-11-22',
    'acme.yaml:12:25: `input` is the number `3`; write it as a string, "3"',
    'acme.yaml:13:43: `input` is missing; write it in `rates`',
    'acme.yaml:14:15: overlaps another row from `2025-01-01`; give it another date or other `hours`',
    'acme.yaml:16:9: the id `A` is already claimed by model `a`; remove one of the two',
    'acme.yaml:20:11: `rows`: too small: expected array to have >=1 items',
  ]);
  expect(found.some((line) => line.startsWith('broken.yaml:1:') && line.includes('not valid YAML'))).toBe(true);
});

test('a tier without the cache rates of its row is refused', () => {
  const tiers = '        tiers: [{ input_over: 100, rates: { input: "6", output: "20" } }]\n';
  expect(only(plainModel('a', RATES, tiers))).toEqual([
    'acme.yaml:12:36: the tier has no `cache_read` rate, but the row has; write it',
  ]);
});

test('a service tier is a factor, or rates that say what long prompts cost', () => {
  const long = `        tiers: [{ input_over: 100, rates: { ${RATES} } }]\n`;
  const tier = (text: string): string[] =>
    only(plainModel('a', RATES, `${long}        service_tiers: { flex: ${text} }\n`));
  expect(tier('{ times: "0.5" }')).toEqual([]);
  expect(tier(`{ rates: { ${RATES} }, tiers: [] }`)).toEqual([]);
  expect(tier(`{ rates: { ${RATES} } }`)).toEqual([
    'acme.yaml:13:26: `flex` has its own rates but no `tiers` for long prompts; write them, or `tiers: []`',
  ]);
  expect(tier('{ times: 0.5 }')).toEqual(['acme.yaml:13:41: `times` is the number `0.5`; write it as a string, "0.5"']);
  expect(tier('{ time: "0.5" }')).toEqual([
    'acme.yaml:13:32: `times` is missing; write it in `flex`',
    'acme.yaml:13:34: unknown key `time`; did you mean `times`?',
  ]);
});

test('tiers stand in ascending order', () => {
  const tier = (over: number): string => `{ input_over: ${over}, rates: { ${RATES} } }`;
  expect(only(plainModel('a', RATES, `        tiers: [${tier(200)}, ${tier(100)}]\n`))).toEqual([
    'acme.yaml:12:109: `100` must be above the tier before it; sort the tiers',
  ]);
});

test('rows of one date overlap unless their hours are apart', () => {
  const row = (hours: string): string => `      - from: 2025-01-01\n${hours}        rates: { ${RATES} }\n`;
  const rows = (...all: string[]): string =>
    `  - id: a\n    window: 1\n    max_output: 1\n    checked: 2026-01-01\n    rows:\n${all.join('')}`;
  const at = (from: string, to: string): string => row(`        hours: ["${from}", "${to}"]\n`);
  expect(only(rows(row(''), at('16:30', '00:30')))).toEqual([]);
  expect(only(rows(at('16:30', '00:30'), at('00:30', '16:30')))).toEqual([]);
  expect(only(rows(at('16:30', '00:30'), at('00:29', '01:00')))).toHaveLength(1);
  expect(only(rows(at('23:00', '01:00'), at('22:00', '23:30')))).toHaveLength(1);
  expect(only(rows(row(''), row('')))).toHaveLength(1);
});

test('an alias or prefix that another model claims is refused', () => {
  const named = (id: string, more: string): string => plainModel(id, RATES).replace('    window', `${more}    window`);
  expect(only(named('a', '    aliases: [c]\n') + named('b', '    aliases: [C]\n'))).toEqual([
    'acme.yaml:14:15: the id `C` is already claimed by model `a`; remove one of the two',
  ]);
  expect(only(named('a', '    prefixes: ["ft:x:"]\n') + named('b', '    prefixes: ["ft:x:"]\n'))).toHaveLength(1);
});

test('a repeated key, a second file of one provider and no file at all are refused', () => {
  expect(only(plainModel('a', 'input: "3", input: "4", output: "5"'))[0]).toContain('not valid YAML');
  const one = `${HEAD}models:\n${plainModel('a', RATES)}`;
  expect(problems(file(one), file(one, 'other.yaml'))).toEqual([
    'other.yaml:1:11: the provider `acme` has another price file; merge the two',
  ]);
  expect(problems()).toEqual(['pricing:1:1: there is no price table; add `<provider>.yaml` to the pricing folder']);
});

test('mistakes in values that an anchor shares are placed, and a file may be anything', () => {
  expect(only(plainModel('a', RATES, '    fees: { web_search: { per_1000: 10 } }\n'))).toEqual([
    'acme.yaml:12:37: `per_1000` is the number `10`; write it as a string, "10"',
  ]);
  for (const text of ['', '[]', '3', 'null', 'a', '? [x]\n: y', 'models: {a: 1}', 'models:\n  - 3\n  - null'])
    expect(problems(file(text)).length, JSON.stringify(text)).toBeGreaterThan(0);
});

test('the digest names what the prices are, not how the file is written', () => {
  const digest = (...files: SourceFile[]): string => compilePrices(files, sha256).digest;
  const text = `${HEAD}models:\n${plainModel('a', RATES)}${plainModel('b', RATES)}`;
  const other = file(text.replaceAll('acme', 'zeta'), 'zeta.yaml');
  const base = digest(file(text), other);
  expect(base).toMatch(/^sha256:[0-9a-f]{64}$/);
  expect(digest(other, file(`# a comment\n${text}`, 'renamed.yaml'))).toBe(base);
  expect(digest(file(`${HEAD}models:\n${plainModel('b', RATES)}${plainModel('a', RATES)}`), other)).toBe(base);
  expect(digest(file(text.replace('"0.30"', '"0.3"')), other)).toBe(base);
  expect(digest(file(text.replace('"0.30"', '"0.31"')), other)).not.toBe(base);
  expect(digest(file(text.replace('2025-01-01', '2025-01-02')), other)).not.toBe(base);
});
