import { type Command, InvalidArgumentError } from 'commander';
import { TOKEN_LEAVES, type TokenLeaf, type UsageEntry } from '../../domain/usage.ts';

/** What `tollgate price` is asked about, as the command line gives it. */
export interface UsageOptions {
  readonly input: number;
  readonly output: number;
  readonly reasoning: number;
  readonly cacheRead: number;
  readonly cacheWrite: number;
  readonly cacheWrite1h: number;
  readonly tokens: readonly (readonly [TokenLeaf, number])[];
  readonly fee: readonly (readonly [string, number])[];
  readonly tier?: string;
  readonly batch?: boolean;
  readonly region?: string;
}

function count(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isSafeInteger(value) || value < 0)
    throw new InvalidArgumentError('a whole number of tokens is needed.');
  return value;
}

const isLeaf = (name: string): name is TokenLeaf => (TOKEN_LEAVES as readonly string[]).includes(name);

function counted<Name extends string>(
  text: string,
  known: (name: string) => name is Name,
  what: string,
): [Name, number] {
  const [name = '', number = ''] = text.split('=');
  if (!known(name)) throw new InvalidArgumentError(what);
  return [name, count(number)];
}

const leafCount = (text: string, before: UsageOptions['tokens']): UsageOptions['tokens'] => [
  ...before,
  counted(text, isLeaf, `write <kind>=<tokens>; kinds are ${TOKEN_LEAVES.join(', ')}.`),
];

const feeCount = (text: string, before: UsageOptions['fee']): UsageOptions['fee'] => [
  ...before,
  counted(text, (name): name is string => name !== '', 'write <fee>=<uses>, such as web_search=3.'),
];

/** Adds the options that say what was used, and how it was served. */
export const usageOptions = (command: Command): Command =>
  command
    .option('--input <tokens>', 'input that no cache served', count, 0)
    .option('--output <tokens>', 'output, reasoning left out', count, 0)
    .option('--reasoning <tokens>', 'reasoning beside the output', count, 0)
    .option('--cache-read <tokens>', 'input read from a cache', count, 0)
    .option('--cache-write <tokens>', 'input written to a cache for 5 minutes', count, 0)
    .option('--cache-write-1h <tokens>', 'input written to a cache for an hour', count, 0)
    .option(
      '--tokens <kind=count>',
      'any other kind, such as input_audio=900 or output_image=1290; may be repeated',
      leafCount,
      [],
    )
    .option('--fee <name=uses>', 'a fee, such as web_search=3; may be repeated', feeCount, [])
    .option('--tier <name>', 'the service tier that served it')
    .option('--batch', 'served as a batch: short for --tier batch')
    .option('--region <name>', 'where it was served, in the provider’s own word');

/** The usage that the options describe. */
export function usageOf(options: UsageOptions): UsageEntry {
  const named: readonly (readonly [TokenLeaf, number])[] = [
    ['reasoning', options.reasoning],
    ['cache_read', options.cacheRead],
    ['cache_write_5m', options.cacheWrite],
    ['cache_write_1h', options.cacheWrite1h],
  ];
  const leaves: Partial<Record<TokenLeaf, number>> = { input: options.input, output: options.output };
  for (const [leaf, tokens] of [...named, ...options.tokens])
    if (tokens > 0) leaves[leaf] = (leaves[leaf] ?? 0) + tokens;
  const fees: Record<string, number> = {};
  for (const [fee, uses] of options.fee) fees[fee] = (fees[fee] ?? 0) + uses;
  const tier = options.batch ? 'batch' : options.tier;
  return { leaves, tier, region: options.region, ...(options.fee.length > 0 && { fees }) };
}
