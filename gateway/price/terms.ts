import type { EpochMs } from '../domain/scalars.ts';
import type { Leaves, TokenLeaf } from '../domain/usage.ts';
import { dearest } from './dearest.ts';
import {
  type Millionths,
  ONE,
  type PricedModel,
  type PriceRow,
  type PriceTable,
  type RateCard,
  type Rates,
  type TierTerms,
} from './table.ts';

const MINUTE = 60_000;
const DAY = 1440;

export const OUTPUT_LEAVES: ReadonlySet<TokenLeaf> = new Set([
  'output',
  'reasoning',
  'output_audio',
  'output_image',
  'output_video',
]);

/** The row in force at `at`; `known` is false before the first row's date, where the first row stands in. */
export function rowAt(model: PricedModel, at: EpochMs): { readonly row: PriceRow; readonly known: boolean } {
  const minute = Math.floor(at / MINUTE) % DAY;
  const row = model.rows.find(({ from, hours }) => from <= at && (hours === undefined || within(hours, minute)));
  if (row !== undefined) return { row, known: true };
  const started = model.rows.find(({ from }) => from <= at);
  return { row: started ?? (model.rows.at(-1) as PriceRow), known: false };
}

function within([start, end]: readonly [number, number], minute: number): boolean {
  return start < end ? start <= minute && minute < end : minute >= start || minute < end;
}

/** What a served tier's word means; every tier of the row where the table does not know the word: the dearest holds. */
export function termsFor(table: PriceTable, row: PriceRow, word: string | undefined): readonly TierTerms[] {
  const known = row.tiers.get(word ?? table.baseTier);
  return known === undefined ? [...row.tiers.values()] : [known];
}

/** The factor of a region; the dearest one (`known` false) where the model has regions and not this one. */
export function regionTimes(
  model: PricedModel,
  word: string | undefined,
): { readonly times: Millionths; readonly known: boolean } {
  if (word === undefined || model.regions.size === 0) return { times: ONE, known: true };
  const times = model.regions.get(word);
  if (times !== undefined) return { times, known: true };
  return { times: dearest([ONE, ...model.regions.values()]) ?? ONE, known: false };
}

/** The rates for a prompt of so many tokens, cache included: one step for all of them. */
export function ratesFor(card: RateCard, promptTokens: number): Rates {
  const step = card.steps.findLast(({ inputOver }) => promptTokens > inputOver) ?? card.steps[0];
  return (step as RateCard['steps'][number]).rates;
}

/** Tokens of one prompt: everything that went in, however it was billed. */
export function promptTokens(leaves: Leaves): number {
  let sum = 0;
  for (const [leaf, count] of Object.entries(leaves)) if (!OUTPUT_LEAVES.has(leaf as TokenLeaf)) sum += whole(count);
  return sum;
}

/** A count that arithmetic can take: at least zero, whole, rounded up; anything else is zero. */
export function whole(count: number | undefined): number {
  return count !== undefined && Number.isFinite(count) && count > 0 ? Math.ceil(count) : 0;
}
