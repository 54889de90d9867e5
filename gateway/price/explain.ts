import type { EpochMs } from '../domain/scalars.ts';
import type { TokenLeaf, UsageEntry } from '../domain/usage.ts';
import type { Catalogue } from './catalogue.ts';
import { termsOf } from './cost.ts';
import { type LeafRate, type Millionths, ONE } from './table.ts';
import { promptTokens, ratesFor } from './terms.ts';

/** Why a leaf costs what it costs: everything that the price of one entry depends on, for people. */
export interface PriceTerms {
  /** the model whose row holds, whatever alias was asked for */
  readonly model: string;
  /** the row's first day, and its hours as minutes of the UTC day */
  readonly from: EpochMs;
  readonly hours: readonly [number, number] | undefined;
  /** false: the call is older than every row, and the first one stands in */
  readonly inForce: boolean;
  readonly tier: { readonly name: string; readonly times: Millionths; readonly known: boolean };
  readonly region: { readonly name: string | undefined; readonly times: Millionths; readonly known: boolean };
  /** tokens of the prompt, and the step of long prompts that they pass, if any */
  readonly prompt: number;
  readonly inputOver: number | undefined;
  /** picodollars per token before tier and region; `own` false: the row has no price for the leaf, its parent's is used */
  readonly rate: (leaf: TokenLeaf) => LeafRate;
  /** picodollars for one use; undefined where the model has no such fee */
  readonly fee: (name: string) => bigint | undefined;
  /** every tier and region that the row knows */
  readonly tiers: readonly string[];
  readonly regions: readonly string[];
}

/** On what terms `entry` is priced; undefined where no row answers to its model. */
export function explainTerms(
  catalogue: Catalogue,
  provider: string,
  requested: string,
  entry: UsageEntry,
  at: EpochMs,
): PriceTerms | undefined {
  const served = entry.model === undefined ? undefined : catalogue.find(provider, entry.model);
  const found = served ?? catalogue.find(provider, requested);
  if (found === undefined) return undefined;
  const { row, inForce, tier, tierKnown, region } = termsOf(found, entry, at);
  const prompt = promptTokens(entry.leaves);
  const rates = ratesFor(tier.card, prompt);
  const step = tier.card.steps.find((one) => one.rates === rates);
  const name = [...row.tiers].find(([, terms]) => terms === tier)?.[0] ?? found.table.baseTier;
  return {
    model: found.model.id,
    from: row.from,
    hours: row.hours,
    inForce,
    tier: { name: tierKnown ? (entry.tier ?? found.table.baseTier) : name, times: tier.times, known: tierKnown },
    region: { name: region.word, times: region.times, known: region.known },
    prompt,
    inputOver: step === undefined || step.inputOver < 0 ? undefined : step.inputOver,
    rate: (leaf) => rates[leaf],
    fee: (fee) => found.model.fees.get(fee),
    tiers: [...row.tiers.keys()],
    regions: [...found.model.regions.keys()],
  };
}

/** A factor as people write it: `0.5`, `1.1`. */
export const timesText = (times: Millionths): string => String(Number(times) / Number(ONE));
