import type { OurUse } from './our-use.ts';
import { NO_USE, type Place, placeId, tokensOf, type Use } from './use.ts';

/**
 * `unmetered`: the provider saw more than we did, a way around the gate; `absent`: it saw nothing where we saw use; `overcounted`: it
 * saw less; `kinds`: the same tokens, but not the same of them were cached; `price_drift`: the same tokens at another cost.
 */
export type DifferenceKind = 'unmetered' | 'absent' | 'overcounted' | 'kinds' | 'price_drift' | 'cost';

export interface Difference {
  readonly place: Place;
  readonly kind: DifferenceKind;
  readonly theirs: Use;
  readonly ours: Use;
  /** theirs − ours */
  readonly tokens: number;
  /** picodollars, theirs − ours; undefined where one of the two states no cost */
  readonly cost: bigint | undefined;
  /** the provider's keys that used it, most tokens first */
  readonly keys: readonly (readonly [string, number])[];
  /** why it is no difference after all; undefined: it is one */
  readonly excuse: 'shifted' | 'held' | undefined;
}

export interface Tolerance {
  /** share of the tokens, 0.005 for 0.5 % */
  readonly tokens: number;
  /** share of the cost */
  readonly cost: number;
}

/** One place as both sides saw it. */
export interface Pair {
  readonly place: Place;
  readonly theirs: Use | undefined;
  readonly ours: OurUse | undefined;
  readonly keys: readonly (readonly [string, number])[];
  /** the export says what tokens were used in this place's file; false: it only says what things cost */
  readonly counts: boolean;
  /** an export lists the cost of that day by model: a model that is not listed cost nothing */
  readonly costs: boolean;
  /** what their tokens would cost by our table, in picodollars */
  readonly theirsPriced: bigint;
}

/** Compares place by place. Total: never throws. */
export function compareUse(pairs: readonly Pair[], tolerance: Tolerance): Difference[] {
  const late = shifted(pairs);
  return pairs
    .flatMap((pair) => compareOne(pair, tolerance))
    .map((one) => (late.has(placeId(one.place)) ? { ...one, excuse: 'shifted' } : one));
}

function compareOne(pair: Pair, tolerance: Tolerance): Difference[] {
  const theirs = pair.theirs ?? NO_USE;
  const ours = pair.ours?.use ?? NO_USE;
  const tokens = gapOf(pair);
  const cost = costGap(pair.costs ? { ...theirs, tokenCost: theirs.tokenCost ?? 0n } : theirs, ours);
  const base = { place: pair.place, theirs, ours, tokens, cost, keys: pair.keys, excuse: undefined };
  const most = Math.max(tokensOf(theirs), tokensOf(ours));
  if (pair.counts && Math.abs(tokens) > most * tolerance.tokens) {
    if (tokens > 0) return [{ ...base, kind: 'unmetered', excuse: held(pair) }];
    return [{ ...base, kind: pair.theirs === undefined || tokensOf(theirs) === 0 ? 'absent' : 'overcounted' }];
  }
  const found: Difference[] = [];
  if (pair.counts && kindsDiffer(theirs, ours, most * tolerance.tokens)) found.push({ ...base, kind: 'kinds' });
  if (cost !== undefined && beyond(cost, theirs, tolerance.cost))
    found.push({ ...base, kind: pair.counts ? 'price_drift' : 'cost', excuse: held(pair) });
  return found;
}

const kindsDiffer = (a: Use, b: Use, limit: number): boolean =>
  (['input', 'cache_read', 'cache_write', 'output'] as const).some((kind) => Math.abs(a[kind] - b[kind]) > limit);

/** theirs − ours, of tokens and fees as far as both state them. */
function costGap(theirs: Use, ours: Use): bigint | undefined {
  const gap = (a: bigint | undefined, b: bigint | undefined): bigint | undefined =>
    a === undefined ? undefined : a - (b ?? 0n);
  const [token, fee] = [gap(theirs.tokenCost, ours.tokenCost), gap(theirs.feeCost, ours.feeCost)];
  return token === undefined && fee === undefined ? undefined : (token ?? 0n) + (fee ?? 0n);
}

/** Beyond the share, beyond what the export's own rounding explains, and beyond a millionth of a dollar. */
function beyond(gap: bigint, theirs: Use, share: number): boolean {
  const total = (theirs.tokenCost ?? 0n) + (theirs.feeCost ?? 0n);
  const limits = [(total * BigInt(Math.round(share * 1e6))) / 1_000_000n, theirs.slack, 1_000_000n];
  return limits.every((limit) => gap > limit || gap < -limit);
}

/** Calls that ended without usage were charged their holds: where those cover what the provider saw, nothing went around the gate. */
function held({ ours, theirsPriced, theirs }: Pair): 'held' | undefined {
  if (ours === undefined || ours.uncertain === 0) return undefined;
  const charged = (ours.use.tokenCost ?? 0n) + (ours.use.feeCost ?? 0n) + ours.uncertainCharge * 1000n;
  const seen = theirs?.tokenCost === undefined ? theirsPriced : theirs.tokenCost + (theirs.feeCost ?? 0n);
  return charged >= seen ? 'held' : undefined;
}

const DAY_MS = 86_400_000;
const dayAfter = (day: string): string => new Date(Date.parse(`${day}T00:00:00Z`) + DAY_MS).toISOString().slice(0, 10);

const gapOf = ({ counts, theirs, ours }: Pair): number =>
  counts ? tokensOf(theirs ?? NO_USE) - tokensOf(ours?.use ?? NO_USE) : 0;

/**
 * Places whose gaps add up to exactly nothing over days in a row: what one side books on a day and the other on the next is a call
 * that ran past midnight.
 */
function shifted(pairs: readonly Pair[]): ReadonlySet<string> {
  const excused = new Set<string>();
  const series = Map.groupBy(pairs, ({ place }) => placeId({ ...place, day: '' }));
  for (const of of series.values()) {
    let open: Pair[] = [];
    let sum = 0;
    for (const pair of [...of].sort((a, b) => (a.place.day < b.place.day ? -1 : 1))) {
      const last = open.at(-1);
      const broken = last !== undefined && dayAfter(last.place.day) !== pair.place.day;
      if (broken || gapOf(pair) === 0) [open, sum] = [[], 0];
      if (gapOf(pair) === 0) continue;
      open.push(pair);
      sum += gapOf(pair);
      if (sum !== 0) continue;
      for (const { place } of open) excused.add(placeId(place));
      open = [];
    }
  }
  return excused;
}
