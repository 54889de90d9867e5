import { divideUp, picoToNano } from '../domain/money.ts';
import type { Cost, CostLine } from '../domain/pricing.ts';
import { type Digest, type EpochMs, pico } from '../domain/scalars.ts';
import { TOKEN_LEAVES, type Usage, type UsageEntry } from '../domain/usage.ts';
import type { Catalogue, Found } from './catalogue.ts';
import { dearestFee } from './fees.ts';
import type { Millionths, PriceRow, TierTerms } from './table.ts';
import { promptTokens, ratesFor, regionTimes, rowAt, termsFor, whole } from './terms.ts';

/** Amounts keep both factors of a line (tier and region, in millionths each) until the one division. */
const SCALE = 1_000_000n * 1_000_000n;

/** A line before its division: `scaled` is picodollars × SCALE. */
interface ScaledLine {
  readonly model: string;
  readonly leaf: CostLine['leaf'];
  readonly count: number;
  readonly scaled: bigint;
}

type Status = Cost['status'];

interface Priced {
  readonly lines: readonly ScaledLine[];
  readonly status: Status;
}

const worse = (a: Status, b: Status): Status =>
  a === 'unpriced' || b === 'unpriced' ? 'unpriced' : a === 'estimated' || b === 'estimated' ? 'estimated' : 'exact';

const sum = (lines: readonly ScaledLine[]): bigint => lines.reduce((total, { scaled }) => total + scaled, 0n);

/** What `usage` costs at `at` (meter.md 2.2): every entry at its own model, one rounding up at the end. Total: never throws. */
export function costOf(
  catalogue: Catalogue,
  table: Digest,
  provider: string,
  requested: string,
  usage: Usage,
  at: EpochMs,
): Cost {
  const entries = usage.entries.map((entry) => priceEntry(catalogue, provider, requested, entry, at));
  const lines = wholePicos(entries.flatMap((entry) => entry.lines));
  const ours = picoToNano(pico(lines.reduce((total, { amount }) => total + amount, 0n)));
  const certain: Status = usage.certainty === 'exact' && usage.estimated !== true ? 'exact' : 'estimated';
  if (usage.reported !== undefined) return { status: certain, total: picoToNano(usage.reported), lines, ours, table };
  return { status: entries.map(({ status }) => status).reduce(worse, certain), total: ours, lines, table };
}

function priceEntry(catalogue: Catalogue, provider: string, requested: string, entry: UsageEntry, at: EpochMs): Priced {
  const served = entry.model === undefined ? undefined : catalogue.find(provider, entry.model);
  const found = served ?? catalogue.find(provider, requested);
  if (found !== undefined) {
    const priced = priceAt(catalogue, provider, found, entry, at);
    return served === undefined && entry.model !== undefined
      ? { ...priced, status: worse(priced.status, 'estimated') }
      : priced;
  }
  const model = entry.model ?? requested;
  const dearest = catalogue
    .candidates(provider)
    .map((candidate) => priceAt(catalogue, provider, candidate, entry, at).lines)
    .reduce((a, b) => (sum(b) > sum(a) ? b : a));
  return { lines: dearest.map((line) => ({ ...line, model })), status: 'unpriced' };
}

/** On what terms the tokens of an entry are billed, and what they come to. */
export interface Terms {
  readonly row: PriceRow;
  /** false: the call is older than the model's first row, which stands in */
  readonly inForce: boolean;
  readonly tier: TierTerms;
  /** false: the table does not know the tier's word, and its dearest tier stands in */
  readonly tierKnown: boolean;
  readonly region: { readonly word: string | undefined; readonly times: Millionths; readonly known: boolean };
  readonly tokens: Priced;
}

/** The row, tier and region that hold for an entry at `at`: of several possible tiers the one that costs most. */
export function termsOf(found: Found, entry: UsageEntry, at: EpochMs): Terms {
  const { row, known } = rowAt(found.model, at);
  const possible = termsFor(found.table, row, entry.tier);
  const word = entry.region ?? found.region;
  const region = { word, ...regionTimes(found.model, word) };
  const [tier, tokens] = possible
    .map((one) => [one, tokenLines(found, entry, one, region.times)] as const)
    .reduce((a, b) => (sum(b[1].lines) > sum(a[1].lines) ? b : a));
  return { row, inForce: known, tier, tierKnown: possible.length === 1, region, tokens };
}

function priceAt(catalogue: Catalogue, provider: string, found: Found, entry: UsageEntry, at: EpochMs): Priced {
  const { tokens, inForce, tierKnown, region } = termsOf(found, entry, at);
  const fees = feeLines(catalogue, provider, found, entry);
  const certain: Status = inForce && region.known && tierKnown ? 'exact' : 'estimated';
  return { lines: [...tokens.lines, ...fees.lines], status: [tokens.status, fees.status].reduce(worse, certain) };
}

function tokenLines(found: Found, entry: UsageEntry, terms: TierTerms, region: bigint): Priced {
  const prompt = promptTokens(entry.leaves);
  const rates = ratesFor(terms.card, prompt);
  const lines: ScaledLine[] = [];
  // a provider-run tool makes one total of several prompts, each perhaps below the step: the dearer reading is an estimate
  const summed = rates !== ratesFor(terms.card, 0) && Object.values(entry.fees ?? {}).some((uses) => uses > 0);
  let status: Status = summed ? 'estimated' : 'exact';
  for (const leaf of TOKEN_LEAVES) {
    const count = whole(entry.leaves[leaf]);
    if (count !== (entry.leaves[leaf] ?? 0)) status = 'estimated';
    if (count === 0) continue;
    const { rate, own } = rates[leaf];
    if (!own) status = 'estimated';
    lines.push({ model: found.model.id, leaf, count, scaled: BigInt(count) * rate * terms.times * region });
  }
  return { lines, status };
}

function feeLines(catalogue: Catalogue, provider: string, found: Found, entry: UsageEntry): Priced {
  const lines: ScaledLine[] = [];
  let status: Status = 'exact';
  for (const [fee, uses] of Object.entries(entry.fees ?? {})) {
    const count = whole(uses);
    if (count === 0) continue;
    const own = found.model.fees.get(fee);
    const { amount, named } = own === undefined ? dearestFee(catalogue, provider, fee) : { amount: own, named: true };
    if (own === undefined) status = worse(status, named ? 'estimated' : 'unpriced');
    lines.push({ model: found.model.id, leaf: `fee:${fee}`, count, scaled: BigInt(count) * amount * SCALE });
  }
  return { lines, status };
}

/** Whole picodollars that add up to the exact sum rounded up: the largest remainders get the missing ones. */
function wholePicos(lines: readonly ScaledLine[]): CostLine[] {
  const amounts = lines.map(({ scaled }) => scaled / SCALE);
  const missing = Number(divideUp(sum(lines), SCALE) - amounts.reduce((total, amount) => total + amount, 0n));
  if (missing > 0) {
    const order = lines.map((_, i) => i).sort((a, b) => compare(rest(lines, b), rest(lines, a)) || a - b);
    for (const i of order.slice(0, missing)) amounts[i] = (amounts[i] ?? 0n) + 1n;
  }
  return lines.map(({ model, leaf, count }, i) => ({ model, leaf, count, amount: pico(amounts[i] ?? 0n) }));
}

const rest = (lines: readonly ScaledLine[], i: number): bigint => (lines[i]?.scaled ?? 0n) % SCALE;
const compare = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0);
