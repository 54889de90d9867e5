import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { cashierOf } from '../compose.ts';
import { nanoToUsd, picoToUsd } from '../domain/money.ts';
import type { Cost } from '../domain/pricing.ts';
import { epochMs } from '../domain/scalars.ts';
import type { Usage } from '../domain/usage.ts';
import type { Cashier } from '../price/cashier.ts';
import { jsonOption } from './config-file.ts';
import { CommandFailure, columns, print } from './terminal.ts';

interface Options {
  model: string;
  provider?: string;
  input: number;
  output: number;
  cacheRead: number;
  cacheWrite: number;
  cacheWrite1h: number;
  reasoning: number;
  tier?: string;
  at?: string;
  pricing: string;
  json?: boolean;
}

const SHIPPED = resolve(import.meta.dirname, '../../pricing');

function count(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new InvalidArgumentError('a whole number of tokens is needed.');
  return value;
}

interface Priced {
  readonly provider: string;
  readonly cost: Cost;
}

/** Tables of those who sell other makers' models; asked last. */
const RESELLERS = ['azure', 'bedrock'];

/** `tollgate price`: what usage costs, line by line. Exit 1 where no price is known. */
export function priceCommand(): Command {
  return new Command('price')
    .description('what a call costs, by the price table that the gate uses')
    .requiredOption('-m, --model <id>', 'the model as the provider names it')
    .option('-p, --provider <name>', 'the price table; default: the maker’s own')
    .option('--input <tokens>', 'input that no cache served', count, 0)
    .option('--output <tokens>', 'output, reasoning left out', count, 0)
    .option('--reasoning <tokens>', 'reasoning beside the output', count, 0)
    .option('--cache-read <tokens>', 'input read from a cache', count, 0)
    .option('--cache-write <tokens>', 'input written to a cache for 5 minutes', count, 0)
    .option('--cache-write-1h <tokens>', 'input written to a cache for an hour', count, 0)
    .option('--tier <name>', 'the service tier that served it')
    .option('--at <date>', 'when the call started; default: now')
    .option('--pricing <folder>', 'the price tables', SHIPPED)
    .addOption(jsonOption())
    .action((options: Options) => explain(options));
}

function tables(folder: string): Cashier {
  try {
    const names = readdirSync(folder).filter((name) => /\.ya?ml$/.test(name));
    return cashierOf(
      names.sort().map((name) => ({ path: join(folder, name), text: readFileSync(join(folder, name), 'utf8') })),
    );
  } catch (error) {
    throw new CommandFailure(1, error instanceof Error ? error.message : String(error));
  }
}

function explain(options: Options): void {
  const at = options.at === undefined ? Date.now() : Date.parse(options.at);
  if (Number.isNaN(at)) throw new CommandFailure(2, `--at \`${options.at}\` is no ISO date such as 2026-11-22`);
  const cashier = tables(options.pricing);
  const leaves = {
    input: options.input,
    output: options.output,
    ...(options.reasoning > 0 && { reasoning: options.reasoning }),
    ...(options.cacheRead > 0 && { cache_read: options.cacheRead }),
    ...(options.cacheWrite > 0 && { cache_write_5m: options.cacheWrite }),
    ...(options.cacheWrite1h > 0 && { cache_write_1h: options.cacheWrite1h }),
  };
  const usage: Usage = { entries: [{ leaves, tier: options.tier }], certainty: 'exact' };
  if (options.provider !== undefined && !cashier.providers.includes(options.provider)) {
    throw new CommandFailure(
      2,
      `no price table is called \`${options.provider}\`; known are ${cashier.providers.join(', ')}`,
    );
  }
  const makers = cashier.providers.filter((name) => !RESELLERS.includes(name));
  const all = [...makers, ...cashier.providers.filter((name) => RESELLERS.includes(name))];
  const asked = options.provider === undefined ? all : [options.provider];
  const priced = asked
    .map((provider) => ({ provider, cost: cashier.cost(provider, options.model, usage, epochMs(at)) }))
    .filter(({ cost }) => cost.status !== 'unpriced');
  if (priced.length === 0)
    throw new CommandFailure(
      1,
      `no price is known for model \`${options.model}\` at ${new Date(at).toISOString()}; an unknown price is never zero`,
    );
  const [{ provider, cost }, ...others] = priced as [Priced, ...Priced[]];
  const lines = cost.lines.map((line) => ({ leaf: line.leaf, count: line.count, usd: picoToUsd(line.amount) }));
  const also = others.map((other) => other.provider);
  if (options.json) {
    const { status, total, table } = cost;
    print({ provider, model: options.model, status, cost_usd: nanoToUsd(total), lines, table, also });
    return;
  }
  print(`${provider} / ${options.model}: $${nanoToUsd(cost.total)} (${cost.status})`);
  const counted = lines.filter((line) => line.count > 0);
  for (const line of columns(
    counted.map((l) => [`  ${l.leaf}`, String(l.count), `$${l.usd}`]),
    [1, 2],
  ))
    print(line);
  if (also.length > 0) print(`  also priced by ${also.join(', ')}: name one with --provider`);
}
