import { Command } from 'commander';
import { nanoToUsd } from '../domain/money.ts';
import type { Cost } from '../domain/pricing.ts';
import { type EpochMs, epochMs } from '../domain/scalars.ts';
import type { UsageEntry } from '../domain/usage.ts';
import type { Cashier } from '../price/cashier.ts';
import type { PriceTerms } from '../price/explain.ts';
import { jsonOption } from './config-file.ts';
import { priceCheckCommand } from './price/check.ts';
import { explainLines, lineCells, termsText } from './price/explain-lines.ts';
import { readTables, SHIPPED } from './price/read-tables.ts';
import { explainTool, type ToolOptions, toolOptions } from './price/tool-options.ts';
import { type UsageOptions, usageOf, usageOptions } from './price/usage-options.ts';
import { CommandFailure, columns, print } from './terminal.ts';

interface Options extends UsageOptions, ToolOptions {
  readonly model?: string;
  readonly provider?: string;
  readonly at?: string;
  readonly pricing: string;
  readonly json?: boolean;
}

interface Priced {
  readonly provider: string;
  readonly cost: Cost;
  readonly terms: PriceTerms;
}

/** Tables of those who sell other makers' models; asked last. */
const RESELLERS = ['azure', 'bedrock', 'cerebras', 'fireworks', 'openrouter', 'together', 'ollama', 'vllm'];

/** The model of a table that answers to every id. */
const ANY = '*';

/** `tollgate price`: what usage costs, line by line. Exit 1 where no price is known. */
export function priceCommand(): Command {
  const command = new Command('price')
    .description('what a call costs, by the price table that the gate uses')
    .option('-m, --model <id>', 'the model as the provider names it')
    .option('-p, --provider <name>', 'the price table; default: the maker’s own');
  return toolOptions(usageOptions(command))
    .option('--at <date>', 'when the call started; default: now')
    .option('--pricing <folder>', 'the price tables', SHIPPED)
    .addOption(jsonOption())
    .action((options: Options) => explain(options))
    .addCommand(priceCheckCommand().exitOverride());
}

function explain(options: Options): void {
  const { model, tool } = options;
  if ((model === undefined) === (tool === undefined))
    throw new CommandFailure(
      2,
      'name a model with --model, or a tool with --tool; `tollgate price check` looks at the tables themselves',
    );
  const time = options.at === undefined ? Date.now() : Date.parse(options.at);
  if (Number.isNaN(time)) throw new CommandFailure(2, `--at \`${options.at}\` is no ISO date such as 2026-11-22`);
  const at = epochMs(time);
  const { cashier } = readTables(options.pricing);
  if (tool !== undefined) return explainTool(cashier, tool, options, at, options.json ?? false);
  explainModel(cashier, model as string, options, at);
}

function explainModel(cashier: Cashier, model: string, options: Options, at: EpochMs): void {
  const entry = usageOf(options);
  const [first, ...others] = pricesOf(cashier, options.provider, model, entry, at);
  if (first === undefined)
    throw new CommandFailure(
      1,
      `no price is known for model \`${model}\` at ${new Date(at).toISOString()}; an unknown price is never zero`,
    );
  const also = others.map((other) => other.provider);
  if (options.json) print(jsonOf(model, first, also));
  else say(model, first, also);
}

/** The tables that price the model, the one to be shown first. Throws a CommandFailure where the named one is unknown. */
function pricesOf(
  cashier: Cashier,
  named: string | undefined,
  model: string,
  entry: UsageEntry,
  at: EpochMs,
): readonly Priced[] {
  const { providers } = cashier;
  if (named !== undefined && !providers.includes(named))
    throw new CommandFailure(2, `no price table is called \`${named}\`; known are ${providers.join(', ')}`);
  const makersFirst = [...providers].sort((a, b) => Number(RESELLERS.includes(a)) - Number(RESELLERS.includes(b)));
  return (named === undefined ? makersFirst : [named]).flatMap((provider) => {
    const terms = cashier.terms(provider, model, entry, at);
    // a table for every id says nothing about whose model this is
    return terms === undefined || (named === undefined && terms.model === ANY)
      ? []
      : [{ provider, terms, cost: cashier.cost(provider, model, { entries: [entry], certainty: 'exact' }, at) }];
  });
}

function jsonOf(model: string, { provider, cost, terms }: Priced, also: readonly string[]): unknown {
  return {
    provider,
    model,
    status: cost.status,
    cost_usd: nanoToUsd(cost.total),
    lines: explainLines(cost, terms),
    row: {
      model: terms.model,
      from: new Date(terms.from).toISOString().slice(0, 10),
      in_force: terms.inForce,
      tier: terms.tier.name,
      region: terms.region.name ?? null,
      prompt: terms.prompt,
      input_over: terms.inputOver ?? null,
    },
    table: cost.table,
    also,
  };
}

function say(model: string, { provider, cost, terms }: Priced, also: readonly string[]): void {
  print(`${provider} / ${model}: $${nanoToUsd(cost.total)} (${cost.status})`);
  const lines = explainLines(cost, terms).filter((line) => line.count > 0);
  for (const line of columns(lines.map(lineCells), [1])) print(line);
  for (const line of termsText(terms)) print(line);
  if (also.length > 0) print(`  also priced by ${also.join(', ')}: name one with --provider`);
}
