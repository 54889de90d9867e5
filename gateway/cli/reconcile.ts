import { Command, InvalidArgumentError } from 'commander';
import type { LoadedConfig } from '../config/load.ts';
import { picoToNano, picoToUsd } from '../domain/money.ts';
import type { SealEntry } from '../domain/receipt.ts';
import { epochMs, pico } from '../domain/scalars.ts';
import type { Cashier } from '../price/cashier.ts';
import { configAt, configOption, jsonOption } from './config-file.ts';
import { readTables, readText } from './price/read-tables.ts';
import { compareUse, type Difference } from './reconcile/compare-use.ts';
import { type ExportFile, readExport } from './reconcile/export-rows.ts';
import { ourUse } from './reconcile/our-use.ts';
import { pairUp } from './reconcile/pair-up.ts';
import { namesOfModels } from './reconcile/place-of-model.ts';
import { type Place, tokensOf, type Use } from './reconcile/use.ts';
import { CommandFailure, columns, print } from './terminal.ts';

interface Options {
  readonly provider: string;
  readonly config: string;
  readonly state: readonly string[];
  readonly from?: string;
  readonly to?: string;
  readonly key: readonly string[];
  readonly map: readonly (readonly [string, string])[];
  readonly toleranceTokens: number;
  readonly toleranceCost: number;
  readonly json?: boolean;
}

const percent = (text: string): number => {
  const value = Number(text.replace(/%$/, ''));
  if (!(value >= 0 && value <= 100) || text.trim() === '')
    throw new InvalidArgumentError('a percentage from 0 to 100 is needed.');
  return value / 100;
};

const day = (text: string): string => {
  const time = Date.parse(`${text}T00:00:00Z`);
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text) || Number.isNaN(time))
    throw new InvalidArgumentError('a day such as 2026-11-22 is needed.');
  return text;
};

const collect = (text: string, before: readonly string[]): readonly string[] => [...before, text];

const pair = (text: string, before: Options['map']): Options['map'] => {
  const [theirs, ours] = text.split('=');
  if (!theirs || !ours) throw new InvalidArgumentError('write <provider key>=<gateway key>.');
  return [...before, [theirs, ours]];
};

/** `tollgate reconcile`: does what the provider billed agree with what passed the gate? Exit 0 it does, 1 it does not, 2 asked wrongly. */
export function reconcileCommand(): Command {
  return new Command('reconcile')
    .description(
      'compare a provider’s exported usage with the record: traffic around the gate, and prices that drifted',
    )
    .argument('<export...>', 'CSV files of the provider’s console: usage, cost or both')
    .requiredOption('-p, --provider <name>', 'whose: a price table that an upstream of the configuration uses')
    .addOption(configOption())
    .option('--state <folder>', 'a state folder; once for each gate. Default: that of the configuration', collect, [])
    .option('--from <day>', 'the first UTC day; default: the export’s first', day)
    .option('--to <day>', 'the last UTC day; default: the export’s last', day)
    .option('--key <key>', 'only this key of the provider, as the export names it; may be repeated', collect, [])
    .option('--map <provider key=gateway key>', 'compare these keys one by one; may be repeated', pair, [])
    .option('--tolerance-tokens <percent>', 'how far tokens may differ', percent, 0.005)
    .option('--tolerance-cost <percent>', 'how far cost may differ', percent, 0.005)
    .addOption(jsonOption())
    .addHelpText(
      'after',
      '\nKnown exports: OpenAI activity (grouped by model) and cost (grouped by line item), Anthropic usage and cost.\nThe day on which a provider still counts is best left out with --to. Exit 0: they agree, 1: they do not, 2: asked wrongly.',
    )
    .action((files: readonly string[], options: Options) => reconcile(files, options));
}

function reconcile(files: readonly string[], options: Options): void {
  const config = configAt(options.config);
  const upstreams = upstreamsOf(config, options.provider);
  const { cashier } = tablesOf(config);
  const exports = files.map((file) => readOne(file));
  const [from, to] = spanOf(exports, options);
  const names = namesOfModels(cashier, options.provider, epochMs(Date.parse(`${to}T12:00:00Z`)));
  const mapped = new Map(options.map);
  const gatewayKeys = new Set(mapped.values());
  const placeOf = (receipt: SealEntry, on: string, model: string): Place | undefined => {
    if (!upstreams.has(receipt.upstream)) return undefined;
    const key = receipt.principal?.key;
    return { day: on, model: names(model), key: key !== undefined && gatewayKeys.has(key) ? key : undefined };
  };
  const states = options.state.length > 0 ? options.state : [config.state];
  const ours = ourUse(states, from, to, placeOf);
  const pairs = pairUp({
    rows: exports
      .flatMap(({ rows }) => rows)
      .filter((row) => row.day >= from && row.day <= to && isAsked(row.key, options)),
    ours,
    names,
    mapped,
    price: (model, use, on) => priceOf(cashier, options.provider, model, use, on),
  });
  const tolerance = { tokens: options.toleranceTokens, cost: options.toleranceCost };
  const found = compareUse(pairs, tolerance);
  const open = found.filter(({ excuse }) => excuse === undefined);
  const calls = [...ours.values()].reduce((sum, { use }) => sum + use.calls, 0);
  const report = {
    provider: options.provider,
    from,
    to,
    kinds: exports.map(({ kind }) => kind),
    compared: pairs.length,
    calls,
  };
  if (options.json)
    print({
      ok: open.length === 0,
      ...report,
      differences: open.map(view),
      excused: found.filter(({ excuse }) => excuse).map(view),
    });
  else say(report, open, found.length - open.length);
  if (open.length > 0) throw new CommandFailure(1, '');
}

const isAsked = (key: string | undefined, { key: keys }: Options): boolean =>
  keys.length === 0 || (key !== undefined && keys.includes(key));

/** Names of the upstreams whose prices are the provider's. */
function upstreamsOf(config: LoadedConfig, provider: string): ReadonlySet<string> {
  const tables = new Map(Object.entries(config.upstreams).map(([name, { prices }]) => [name, prices ?? name]));
  const found = [...tables].filter(([, table]) => table === provider).map(([name]) => name);
  if (found.length === 0)
    throw new CommandFailure(
      2,
      `no upstream of \`${config.file}\` has the prices of \`${provider}\`; there are ${[...new Set(tables.values())].join(', ')}`,
    );
  return new Set(found);
}

function tablesOf(config: LoadedConfig): ReturnType<typeof readTables> {
  if (config.pricing === undefined)
    throw new CommandFailure(2, `${config.file}: there is no price table; set \`pricing:\` to a folder with one`);
  return readTables(config.pricing);
}

function readOne(file: string): ExportFile {
  try {
    return readExport(readText(file));
  } catch (error) {
    if (error instanceof SyntaxError) throw new CommandFailure(2, `\`${file}\`: ${error.message}`);
    throw error;
  }
}

function spanOf(exports: readonly ExportFile[], { from, to }: Options): [string, string] {
  const days = exports.flatMap((one) => one.days).sort();
  const [first, last] = [from ?? days[0], to ?? days.at(-1)];
  if (first === undefined || last === undefined)
    throw new CommandFailure(2, 'the exports hold no day; name a span with --from and --to');
  if (first > last) throw new CommandFailure(2, `the span ends before it begins: ${first} to ${last}`);
  return [first, last];
}

/** What use costs by our table, in picodollars; writes are taken for five-minute ones. */
function priceOf(cashier: Cashier, provider: string, model: string, use: Use, on: string): bigint {
  const leaves = { input: use.input, cache_read: use.cache_read, cache_write_5m: use.cache_write, output: use.output };
  const cost = cashier.cost(
    provider,
    model,
    { entries: [{ leaves }], certainty: 'exact' },
    epochMs(Date.parse(`${on}T12:00:00Z`)),
  );
  return cost.lines.reduce((sum, { amount }) => sum + amount, 0n);
}

const usd = (amount: bigint | undefined): string | null => (amount === undefined ? null : picoToUsd(pico(amount)));

const useView = (use: Use) => ({
  calls: use.calls,
  input: use.input,
  cache_read: use.cache_read,
  cache_write: use.cache_write,
  output: use.output,
  token_cost_usd: usd(use.tokenCost),
  fee_cost_usd: usd(use.feeCost),
});

const view = (one: Difference) => ({
  ...one.place,
  key: one.place.key ?? null,
  kind: one.kind,
  excuse: one.excuse ?? null,
  tokens: one.tokens,
  cost_usd: usd(one.cost),
  theirs: useView(one.theirs),
  ours: useView(one.ours),
  provider_keys: Object.fromEntries(one.keys),
});

const MEANING: Readonly<Record<Difference['kind'], string>> = {
  unmetered: 'the provider saw more than the gate: find who calls it directly',
  absent: 'the gate saw use that the provider does not list: another account, or the export is not complete yet',
  overcounted: 'the provider saw less than the gate: the export may not be complete yet',
  kinds: 'the same tokens, but not the same of them from a cache',
  cost: 'another cost: export usage as well, to see whether tokens or prices differ',
  price_drift: 'the same tokens at another cost: `tollgate price check`, then mend the table',
};

function say(
  report: { provider: string; from: string; to: string; compared: number; calls: number },
  open: readonly Difference[],
  excused: number,
): void {
  const rows = open.map((one) => [
    `  ${one.place.day}`,
    one.place.model,
    one.place.key ?? '',
    one.kind,
    `provider ${tokensOf(one.theirs)} tokens`,
    `here ${tokensOf(one.ours)}`,
    one.cost === undefined ? '' : `${one.cost < 0n ? '-' : '+'}$${dollarText(one.cost)}`,
    one.keys.map(([key, tokens]) => `${key}: ${tokens}`).join(', '),
  ]);
  for (const line of columns(rows)) print(line);
  for (const kind of new Set(open.map((one) => one.kind))) print(`${kind}: ${MEANING[kind]}`);
  if (excused > 0) print(`${excused} more are explained: calls past midnight, or holds that cover what was not seen`);
  const whole = `${report.provider}, ${report.from} to ${report.to}: ${report.compared} days and models, ${report.calls} calls here`;
  print(open.length === 0 ? `ok: ${whole}` : `${open.length} differences: ${whole}`);
}

const dollarText = (amount: bigint): string =>
  (Number(picoToNano(pico(amount < 0n ? -amount : amount))) / 1e9).toFixed(6);
