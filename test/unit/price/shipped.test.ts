import { expect, test } from 'vitest';
import { nanoToUsd } from '../../../gateway/domain/money.ts';
import { epochMs } from '../../../gateway/domain/scalars.ts';
import type { Leaves, UsageEntry } from '../../../gateway/domain/usage.ts';
import { compilePrices } from '../../../gateway/price/compile.ts';
import { committedFiles, sha256 } from './price-tables.ts';

const SHIPPED = compilePrices(committedFiles(), sha256);
const M = 1_000_000;

function usd(
  provider: string,
  model: string,
  day: string,
  leaves: Leaves,
  more: Omit<UsageEntry, 'leaves'> = {},
): string {
  const usage = { entries: [{ leaves, ...more }], certainty: 'exact' } as const;
  const cost = SHIPPED.cost(provider, model, usage, epochMs(Date.parse(`${day}T12:00:00Z`)));
  expect(cost.status).toBe('exact');
  return nanoToUsd(cost.total);
}

test('the providers that are spoken natively are there', () => {
  const native = ['anthropic', 'azure', 'bedrock', 'deepseek', 'google', 'groq', 'mistral', 'openai', 'xai'];
  expect(SHIPPED.providers).toEqual(expect.arrayContaining(native));
});

test.each<[string, string, string, string, Leaves, Omit<UsageEntry, 'leaves'>, string]>([
  [
    "Bedrock's global profile is the base",
    'bedrock',
    'global.anthropic.claude-sonnet-4-5-20250929-v1:0',
    '2026-11-22',
    { input: M / 10 },
    { region: 'global' },
    '0.3',
  ],
  [
    'a geography costs a tenth more',
    'bedrock',
    'eu.anthropic.claude-sonnet-4-5-20250929-v1:0',
    '2026-11-22',
    { input: M / 10 },
    { region: 'eu' },
    '0.33',
  ],
  [
    'so does the bare id',
    'bedrock',
    'anthropic.claude-sonnet-4-5-20250929-v1:0',
    '2026-11-22',
    { input: M / 10 },
    { region: 'in_region' },
    '0.33',
  ],
  [
    'cache reads on Bedrock are outside the input',
    'bedrock',
    'global.anthropic.claude-sonnet-4-5-20250929-v1:0',
    '2026-11-22',
    { cache_read: M / 10, cache_write_1h: 1000 },
    { region: 'global' },
    '0.036',
  ],
  [
    'a model with one price everywhere',
    'bedrock',
    'us.meta.llama3-3-70b-instruct-v1:0',
    '2026-11-22',
    { input: M, output: M },
    { region: 'us' },
    '1.44',
  ],
  [
    'Azure, by the dated id that a reply names',
    'azure',
    'gpt-4o-2024-08-06',
    '2026-11-22',
    { input: M, cache_read: M, output: M },
    {},
    '13.75',
  ],
  [
    'a grounded prompt before Gemini 3',
    'google',
    'gemini-2.5-flash',
    '2026-11-22',
    { input: M },
    { fees: { grounded_prompt: 1, web_search: 3 } },
    '0.335',
  ],
  [
    'each query since',
    'google',
    'gemini-3-flash-preview',
    '2026-11-22',
    { input: M },
    { fees: { grounded_prompt: 1, web_search: 3 } },
    '0.542',
  ],
  [
    'provisioned throughput is paid for beforehand',
    'google',
    'gemini-2.5-flash',
    '2026-11-22',
    { input: M, output: M },
    { tier: 'provisioned_throughput' },
    '0',
  ],
  ['a 1 h write is twice input', 'anthropic', 'claude-opus-5-5', '2026-11-22', { cache_write_1h: M }, {}, '8'],
  [
    'cache reads are not a tenth everywhere',
    'anthropic',
    'claude-fable-5-1',
    '2026-11-22',
    { cache_read: M },
    {},
    '0.25',
  ],
  ['thinking costs what output costs', 'anthropic', 'claude-fable-5-2', '2026-11-22', { reasoning: M }, {}, '40'],
  [
    'fast mode doubles the cache rates too',
    'anthropic',
    'claude-opus-5-5',
    '2026-11-22',
    { cache_read: M, output: M },
    { tier: 'fast' },
    '40.4',
  ],
  [
    'batch halves them',
    'anthropic',
    'claude-opus-4-8',
    '2026-11-22',
    { cache_write_5m: M },
    { tier: 'batch' },
    '3.125',
  ],
  [
    'US inference costs a tenth more, searches do not',
    'anthropic',
    'claude-sonnet-5',
    '2026-11-22',
    { input: M },
    { region: 'us', fees: { web_search: 2 } },
    '2.22',
  ],
  ['before a cut', 'anthropic', 'claude-sonnet-5-5', '2026-10-06', { cache_read: M }, {}, '0.2'],
  ['after it', 'anthropic', 'claude-sonnet-5-5', '2026-10-07', { cache_read: M }, {}, '0.1'],
  [
    'a cliff that still stands, below',
    'anthropic',
    'claude-haiku-5-5',
    '2026-11-22',
    { input: 99_000, cache_read: 1000 },
    {},
    '0.00991',
  ],
  [
    'above: every token',
    'anthropic',
    'claude-haiku-5-5',
    '2026-11-22',
    { input: 99_000, cache_read: 1001 },
    {},
    '0.04955005',
  ],
  ['a cliff before its end', 'anthropic', 'claude-opus-4-6', '2026-03-12', { input: 300_000 }, {}, '3'],
  ['and after', 'anthropic', 'claude-opus-4-6', '2026-03-13', { input: 300_000 }, {}, '1.5'],
  [
    'fast mode on a long prompt, then',
    'anthropic',
    'claude-opus-4-6',
    '2026-03-12',
    { input: M, output: M },
    { tier: 'fast' },
    '285',
  ],
  [
    'what old replies say about their place',
    'anthropic',
    'claude-sonnet-4-5',
    '2026-11-22',
    { input: M },
    { region: 'not_available' },
    '3',
  ],
  ['web fetch has no fee', 'anthropic', 'claude-opus-5', '2026-11-22', { input: M }, { fees: { web_fetch: 9 } }, '5'],
  [
    'before the cut of August',
    'openai',
    'gpt-5.6-sol',
    '2026-08-20',
    { input: 1000, cache_write_5m: 1000, output: 1000 },
    {},
    '0.04125',
  ],
  ['after it', 'openai', 'gpt-5.6', '2026-08-21', { input: 1000, cache_write_5m: 1000, output: 1000 }, {}, '0.029'],
  [
    'long prompts of newer models',
    'openai',
    'gpt-6.1-sol',
    '2026-11-22',
    { input: 272_000, output: 1000 },
    {},
    '1.103',
  ],
  ['just below', 'openai', 'gpt-6.1-sol', '2026-11-22', { input: 271_999, output: 1000 }, {}, '0.553998'],
  [
    'priority at its own factor',
    'openai',
    'gpt-5-mini',
    '2026-11-22',
    { input: M, output: M },
    { tier: 'priority' },
    '4.05',
  ],
  [
    'priority at rates that are no factor',
    'openai',
    'o4-mini',
    '2026-10-01',
    { input: M, cache_read: M, output: M },
    { tier: 'priority' },
    '10.5',
  ],
  ['flex halves', 'openai', 'gpt-5.4', '2026-11-22', { input: 1000, output: 1000 }, { tier: 'flex' }, '0.00875'],
  ['reasoning inside output', 'openai', 'gpt-5', '2026-11-22', { output: 10, reasoning: 90 }, {}, '0.001'],
  [
    'audio at audio rates',
    'openai',
    'gpt-4o-audio-preview-2024-12-17',
    '2026-11-22',
    { input: 12, input_audio: 69, output: 72 },
    {},
    '0.00351',
  ],
  ['a fine-tuned model', 'openai', 'ft:gpt-4o-2024-08-06:acme::x', '2026-11-22', { input: M }, {}, '3.75'],
  [
    'fees by the thousand',
    'openai',
    'gpt-5.4-mini',
    '2026-11-22',
    {},
    { fees: { web_search: 1, file_search: 1, code_session: 1 } },
    '0.0425',
  ],
  ['a written zero', 'openai', 'omni-moderation-latest', '2026-11-22', { input: M }, {}, '0'],
  [
    'thoughts on top, at output',
    'google',
    'gemini-2.5-flash',
    '2026-11-22',
    { input: 100, output: 100, reasoning: 100, tool_prompt: 100 },
    {},
    '0.00056',
  ],
  ['a promotion ends', 'google', 'gemini-3.8-flash', '2027-01-01', { input: M }, {}, '1.5'],
  ['off-peak at noon', 'deepseek', 'deepseek-v4-pro', '2026-11-22', { input: M }, {}, '0.66'],
  [
    'reasoning beside completion',
    'xai',
    'grok-3-mini',
    '2025-11-06',
    { input: 1, cache_read: 11, output: 1, reasoning: 290 },
    {},
    '0.000146625',
  ],
])('%s: %s %s on %s', (_, provider, model, day, leaves, more, expected) => {
  expect(usd(provider, model, day, leaves, more)).toBe(expected);
});

test('every shipped model has a quote that is priced, bounded and not free unless it is written so', () => {
  const ids = committedFiles().flatMap(({ path, text }) =>
    [...text.matchAll(/^ {2}- id: "?([^"\n]+)"?$/gm)].map(([, id = '']) => ({ provider: path.slice(8, -5), id })),
  );
  expect(ids.length).toBeGreaterThan(150);
  const at = epochMs(Date.parse('2026-11-22T12:00:00Z'));
  for (const { provider, id } of ids) {
    const quote = SHIPPED.quote(
      provider,
      { model: id, bytes: 100, choices: 1, opaque: [], serverTools: [], units: { second: 1, character: 1 } },
      at,
      true,
    );
    expect([id, quote.priced, quote.bounded, quote.max > 0n]).toEqual([
      id,
      true,
      true,
      id !== 'omni-moderation-latest' && id !== '*' && !id.endsWith(':free'),
    ]);
  }
});
