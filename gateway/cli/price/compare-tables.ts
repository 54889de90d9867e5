import { type EpochMs, epochMs } from '../../domain/scalars.ts';
import type { TokenLeaf, UsageEntry } from '../../domain/usage.ts';
import type { Cashier } from '../../price/cashier.ts';
import type { PriceFile, PriceFileModel } from '../../price/schema.ts';
import type { PublicModel, PublicRate, PublicTable } from './public-table.ts';

/** One rate on which two tables differ. */
export interface RateDifference {
  readonly provider: string;
  /** as the other table names it */
  readonly model: string;
  /** the model of ours that answers to that name */
  readonly row: string;
  readonly leaf: PublicRate['leaf'];
  /** size of the prompt that was asked about, in tokens */
  readonly prompt: number;
  /** USD per million tokens, or per 1,000 uses of a fee */
  readonly ours: number;
  readonly theirs: number;
  /** the dated notes that explain it; undefined: nobody has */
  readonly known: readonly string[] | undefined;
}

export interface Comparison {
  readonly compared: number;
  readonly differences: readonly RateDifference[];
  /** models that only the other table prices: unpriced here, and so never free */
  readonly missing: readonly string[];
  /** prices in units that models have not here */
  readonly incomparable: readonly string[];
  /** providers that the other table does not know */
  readonly unknown: readonly string[];
}

const OUTPUT = /^(?:output|reasoning)/;
const SMALL = 1000;

/** Compares every rate that both tables state, for every size of prompt at which one of them changes, at list price. */
export function compareTables(
  cashier: Cashier,
  files: readonly PriceFile[],
  other: PublicTable,
  at: EpochMs,
): Comparison {
  const differences: RateDifference[] = [];
  const missing: string[] = [];
  const incomparable: string[] = [];
  const unknown: string[] = [];
  let compared = 0;
  for (const file of files) {
    const models = other(file.provider, at);
    if (models === undefined) {
      unknown.push(file.provider);
      continue;
    }
    for (const named of models) {
      const model = asServed(file.provider, named);
      incomparable.push(...model.incomparable.map((name) => `${file.provider}/${model.id}: ${name}`));
      const row = rowFor(cashier, file, model, at);
      if (row === undefined) missing.push(`${file.provider}/${model.id}`);
      else
        for (const rate of model.rates) {
          compared += 1;
          const found = compareRate({ cashier, file, model, row, at }, rate);
          if (found !== undefined) differences.push(found);
        }
    }
  }
  return { compared, differences, missing, incomparable, unknown };
}

/** A model as it is asked about: where an id says where it is served, that is told apart as the gate does it. */
interface Served extends PublicModel {
  readonly region: string | undefined;
}

const GEOGRAPHY = /^(?:global|us|us-gov|eu|apac|au|ca|jp)\./;

/** Of the providers, one names places in its ids: `regional.` and a bare id are in-region there. */
function asServed(provider: string, model: PublicModel): Served {
  if (provider !== 'bedrock') return { ...model, region: undefined };
  const id = model.id.replace(/^regional\./, '');
  return { ...model, id, region: GEOGRAPHY.test(id) ? undefined : 'in_region' };
}

/** The model of the file that answers to a name; undefined where none does, or where the other table has no price itself. */
function rowFor(
  cashier: Cashier,
  file: PriceFile,
  { id, rates }: PublicModel,
  at: EpochMs,
): PriceFileModel | undefined {
  if (rates.length === 0) return undefined;
  const { status, lines } = cashier.cost(file.provider, id, usageOf({ leaves: { input: 1 } }), at);
  return status === 'unpriced' ? undefined : file.models.find((model) => model.id === lines[0]?.model);
}

interface Question {
  readonly cashier: Cashier;
  readonly file: PriceFile;
  readonly model: Served;
  readonly row: PriceFileModel;
  readonly at: EpochMs;
}

/** The first size of prompt at which the two tables differ; undefined where they never do. */
function compareRate(question: Question, rate: PublicRate): RateDifference | undefined {
  const { file, model, row } = question;
  const cliffs = row.rows.flatMap(({ tiers = [] }) => tiers.map(({ input_over }) => input_over + 1));
  const theirs = rate.steps.map(({ over }) => over + 1);
  for (const prompt of new Set([SMALL, ...cliffs, ...theirs])) {
    const usd = rate.steps.findLast(({ over }) => prompt > over)?.usd ?? rate.base;
    const ours = ourRate(question, rate.leaf, prompt);
    if (Math.round(ours * 1e6) === Math.round(usd * 1e6)) continue;
    const notes = row.discrepancy?.map(({ on, note }) => `${on}: ${note}`) ?? [];
    const known = notes.length > 0 ? notes : undefined;
    return { provider: file.provider, model: model.id, row: row.id, leaf: rate.leaf, prompt, ours, theirs: usd, known };
  }
  return undefined;
}

const usageOf = (entry: UsageEntry) => ({ entries: [entry], certainty: 'exact' as const });

/** USD per million tokens of a leaf in a prompt of so many tokens; per 1,000 uses of a fee. */
function ourRate({ cashier, file, model, at }: Question, leaf: PublicRate['leaf'], prompt: number): number {
  const fee = leaf.startsWith('fee:') ? leaf.slice(4) : undefined;
  const leaves = fee !== undefined || OUTPUT.test(leaf) ? { input: prompt } : {};
  const counted = fee !== undefined ? {} : { [leaf as TokenLeaf]: OUTPUT.test(leaf) ? SMALL : prompt };
  const fees = fee === undefined ? undefined : { [fee]: 1 };
  const entry: UsageEntry = { leaves: { ...leaves, ...counted }, fees, region: model.region };
  const line = cashier.cost(file.provider, model.id, usageOf(entry), at).lines.find((one) => one.leaf === leaf);
  if (line === undefined) return 0;
  const pico = Number(line.amount) / line.count;
  return fee === undefined ? pico / 1e6 : pico / 1e9;
}

/** The start of the UTC day: a time at which hourly prices of night and day are both read the same by two tables. */
export const dayOf = (at: number): EpochMs => epochMs(at - (at % 86_400_000));
