import { existsSync } from 'node:fs';
import { Command, InvalidArgumentError } from 'commander';
import { type EpochMs, epochMs } from '../../domain/scalars.ts';
import { configAt, jsonOption } from '../config-file.ts';
import { CommandFailure, columns, print } from '../terminal.ts';
import { type Comparison, compareTables, dayOf, type RateDifference } from './compare-tables.ts';
import { openPublicTable } from './public-table.ts';
import { readTables, SHIPPED, type Tables } from './read-tables.ts';
import { recordedUse } from './recorded-use.ts';
import { type StaleModel, staleModels, staleTools } from './stale-models.ts';

interface Options {
  pricing: string;
  config?: string;
  at?: string;
  maxAge: number;
  most: number;
  diff: boolean;
  json?: boolean;
}

const DEFAULT_CONFIG = 'tollgate.yaml';

const whole = (text: string): number => {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('a whole number from 1 is needed.');
  return value;
};

/** `tollgate price check`: do the tables agree with a public one, and has anybody looked at them lately? Exit 1 where not. */
export function priceCheckCommand(): Command {
  return new Command('check')
    .description('compare the price tables with a public one, and name prices that nobody has checked for long')
    .option('--pricing <folder>', 'the price tables', SHIPPED)
    .option('-c, --config <file>', 'whose recorded calls say which models are used; default: tollgate.yaml, if there')
    .option('--at <date>', 'compare the prices of that day; default: today')
    .option('--max-age <days>', 'how old `checked` may be', whole, 60)
    .option('--most <count>', 'how many of the most used models must be fresh', whole, 40)
    .option('--no-diff', 'only look for stale prices')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      '\nThe public table is the npm package @pydantic/genai-prices. A difference has to be mended, or explained by a dated\n`discrepancy` of the model. Exit 0: nothing to do, 1: differences or stale prices, 2: it could not be asked.',
    )
    .action(async (_: unknown, command: Command) => check(command.optsWithGlobals<Options>()));
}

async function check(options: Options): Promise<void> {
  const now = timeOf(options.at);
  const tables = readTables(options.pricing);
  const compared = options.diff
    ? compareTables(tables.cashier, tables.files, await openPublicTable(), dayOf(now))
    : undefined;
  const used = usedModels(options, now);
  const stale = [
    ...staleModels(tables.files, now, options.maxAge, used, options.most),
    ...staleTools(tables.tools, now, options.maxAge),
  ];
  const open = compared?.differences.filter(({ known }) => known === undefined) ?? [];
  const ok = open.length === 0 && stale.length === 0;
  if (options.json) print(jsonOf(tables, compared, stale, ok));
  else say(compared, open, stale, options.maxAge);
  if (!ok) throw new CommandFailure(1, '');
}

function timeOf(at: string | undefined): EpochMs {
  const time = at === undefined ? Date.now() : Date.parse(at);
  if (Number.isNaN(time)) throw new CommandFailure(2, `--at \`${at}\` is no ISO date such as 2026-11-22`);
  return epochMs(time);
}

function usedModels({ config }: Options, now: EpochMs): ReturnType<typeof recordedUse> {
  if (config === undefined && !existsSync(DEFAULT_CONFIG)) return undefined;
  const used = recordedUse(configAt(config ?? DEFAULT_CONFIG), now);
  return used !== undefined && used.size === 0 ? undefined : used;
}

function jsonOf({ cashier }: Tables, compared: Comparison | undefined, stale: readonly StaleModel[], ok: boolean) {
  return {
    ok,
    table: cashier.digest,
    compared: compared?.compared ?? 0,
    differences: compared?.differences.map((d) => ({ ...d, known: d.known ?? null })) ?? [],
    missing: compared?.missing ?? [],
    incomparable: compared?.incomparable ?? [],
    unknown_providers: compared?.unknown ?? [],
    stale: stale.map((model) => ({ ...model, calls: model.calls ?? null })),
  };
}

function say(
  compared: Comparison | undefined,
  open: readonly RateDifference[],
  stale: readonly StaleModel[],
  maxAge: number,
): void {
  if (open.length > 0) {
    print(`${open.length} rates differ from the public table; mend them, or add a dated \`discrepancy\` to the model:`);
    const rows = open.map((d) => [
      `  ${d.provider}/${d.model}`,
      d.leaf,
      d.prompt > 1000 ? `in a prompt of ${d.prompt}` : '',
      `ours ${d.ours}`,
      `theirs ${d.theirs}`,
    ]);
    for (const line of columns(rows)) print(line);
  }
  if (stale.length > 0) {
    print(
      `${stale.length} prices were checked more than ${maxAge} days ago; look at the provider's page and date them:`,
    );
    const rows = stale.map((m) => [
      `  ${m.provider}/${m.model}`,
      m.checked,
      `${m.age_days} days`,
      m.calls === undefined ? '' : `${m.calls} calls`,
    ]);
    for (const line of columns(rows, [2, 3])) print(line);
  }
  if (compared) {
    const known = compared.differences.length - open.length;
    print(
      `${compared.compared} rates compared, ${known} known differences, ${compared.missing.length} models only in the public table (unpriced here)`,
    );
    if (compared.unknown.length > 0) print(`the public table does not know ${compared.unknown.join(', ')}`);
  }
  if (open.length === 0 && stale.length === 0) print('ok');
}
