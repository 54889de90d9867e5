import { divideUp, picoToNano } from '../domain/money.ts';
import type { Quote, RequestBound } from '../domain/pricing.ts';
import { type EpochMs, type Nano, nano, pico } from '../domain/scalars.ts';
import { TOKEN_LEAVES, type TokenLeaf } from '../domain/usage.ts';
import type { Catalogue, Found } from './catalogue.ts';
import { dearest } from './dearest.ts';
import { dearestFee } from './fees.ts';
import { ONE } from './table.ts';
import { OUTPUT_LEAVES, ratesFor, regionTimes, rowAt, termsFor, whole } from './terms.ts';

const SCALE = 1_000_000n * 1_000_000n;
/** Hidden preambles and chat templates: bytes/2 + 768 was enough for 679 of 679 recorded pairs (meter.md 3.1). */
const HIDDEN_TOKENS = 1024;
/** Uses taken for a provider-run tool that the request sets no bound for; the quote is then marked unbounded. */
const UNBOUNDED_USES = 1;

/** The most the request can cost at `at` (meter.md 3.1). An unknown model gets a bound over all of the provider's rows. */
export function quoteFor(
  catalogue: Catalogue,
  provider: string,
  bound: RequestBound,
  at: EpochMs,
  strict: boolean,
): Quote {
  if (bound.free) return assemble(FREE);
  const found = catalogue.find(provider, bound.model);
  if (found !== undefined) return quoteAt(catalogue, provider, found, bound, at, strict);
  const quotes = catalogue
    .candidates(provider)
    .map((candidate) => quoteAt(catalogue, provider, candidate, bound, at, strict));
  return assemble({
    priced: bound.anyModel === true,
    bounded: quotes.every(({ bounded }) => bounded),
    fixed: nano(dearest(quotes.map(({ fixed }) => fixed)) ?? 0n),
    perOutputToken: pico(dearest(quotes.map(({ perOutputToken }) => perOutputToken)) ?? 0n),
    outputCap: Math.max(...quotes.map(({ outputCap }) => outputCap)),
    inputTokens: Math.max(...quotes.map(({ inputTokens }) => inputTokens)),
    ...(!bound.anyModel && { note: `\`${bound.model}\` has no price at \`${provider}\`; add a row to its price file` }),
  });
}

const FREE: Omit<Quote, 'max'> = {
  priced: true,
  bounded: true,
  fixed: nano(0n),
  perOutputToken: pico(0n),
  outputCap: 0,
  inputTokens: 0,
};

/**
 * The most output tokens that `left` pays for: the clamp of meter.md 3.3. Never above the quote's own cap; 0 where not even the input
 * fits. `growth`: bytes that writing the cap adds to the request, which the quote of what is carried counts as input.
 */
export function affordableTokens(quote: Quote, left: Nano, growth = 0): number {
  // one more for the rounding of the quote that counts them
  const grown = growth === 0 ? 0n : divideUp(quote.fixed * BigInt(growth), BigInt(Math.max(quote.inputTokens, 1))) + 1n;
  const fixed = quote.fixed + grown;
  if (left < fixed) return 0;
  if (quote.perOutputToken === 0n) return quote.outputCap;
  const tokens = ((left - fixed) * 1000n) / quote.perOutputToken;
  return tokens < BigInt(quote.outputCap) ? Number(tokens) : quote.outputCap;
}

const assemble = (parts: Omit<Quote, 'max'>): Quote => ({
  ...parts,
  max: nano(parts.fixed + divideUp(parts.perOutputToken * BigInt(parts.outputCap), 1000n)),
});

function quoteAt(
  catalogue: Catalogue,
  provider: string,
  found: Found,
  bound: RequestBound,
  at: EpochMs,
  strict: boolean,
): Quote {
  const { table, model } = found;
  const bytes = whole(bound.bytes);
  const visible = (strict ? bytes : Math.ceil(bytes / 2)) + HIDDEN_TOKENS;
  const runs = bound.serverTools.reduce((uses, tool) => uses + (usesOf(tool) ?? UNBOUNDED_USES), 0);
  const opaque = bound.opaque.length > 0 || bound.serverTools.length > 0;
  const prompt = opaque ? Math.max(visible, model.window) : visible;
  const inputTokens = bound.serverTools.length > 0 ? (runs + 1) * prompt : prompt;

  const regions = words(table.askedRegion, bound.region ?? found.region);
  const region = dearest(regions.map((word) => regionTimes(model, word).times)) ?? ONE;
  const { row } = rowAt(model, at);
  const terms = words(table.askedTier, bound.tier).flatMap((word) => termsFor(table, row, word));
  const rate = (leaves: readonly TokenLeaf[]): bigint => {
    let most = 0n;
    for (const { card, times } of terms)
      for (const { inputOver } of card.steps) {
        if (inputOver >= prompt) continue;
        const rates = ratesFor(card, inputOver + 1);
        for (const leaf of leaves) if (rates[leaf].rate * times > most) most = rates[leaf].rate * times;
      }
    return most * region;
  };

  const input = rate(inputLeaves(bound, table.automaticWrites));
  const fees = bound.serverTools.reduce((sum, tool) => {
    const one = model.fees.get(tool.fee) ?? dearestFee(catalogue, provider, tool.fee).amount;
    return sum + one * BigInt(usesOf(tool) ?? UNBOUNDED_USES);
  }, 0n);
  // a model that is billed by tokens has no price for a unit
  const units = Object.entries(bound.units ?? {}).reduce(
    (sum, [unit, count]) => sum + (model.fees.get(unit) ?? 0n) * BigInt(whole(count)),
    0n,
  );
  const stored = BigInt(Math.ceil(whole(bound.storedHours === undefined ? 0 : prompt * bound.storedHours)));
  const storage =
    stored === 0n
      ? 0n
      : stored * (model.fees.get('cache_storage') ?? dearestFee(catalogue, provider, 'cache_storage').amount);
  const endless = bound.serverTools.filter((tool) => usesOf(tool) === undefined).map(({ fee }) => `\`${fee}\``);
  return assemble({
    priced: true,
    bounded: endless.length === 0,
    fixed: picoToNano(pico(divideUp(input * BigInt(inputTokens), SCALE) + fees + units + storage)),
    perOutputToken: pico(divideUp(rate([...OUTPUT_LEAVES]) * BigInt(Math.max(whole(bound.choices), 1)), SCALE)),
    outputCap: Number.isFinite(bound.outputCap) ? whole(bound.outputCap) : model.maxOutput,
    inputTokens,
    ...(bound.choices > 1 && { choices: bound.choices }),
    ...(endless.length > 0 && {
      note: `${endless.join(', ')} may run any number of times; set a limit in the request`,
    }),
  });
}

/** How often a provider-run tool may run; undefined where the request sets no bound. */
function usesOf({ maxUses }: RequestBound['serverTools'][number]): number | undefined {
  return Number.isFinite(maxUses) ? whole(maxUses) : undefined;
}

/** What a request's word may be served as; `absent` where it has none. A word the table does not list stands for itself. */
function words(
  asked: ReadonlyMap<string, readonly string[]>,
  word: string | undefined,
): readonly (string | undefined)[] {
  return asked.get(word ?? 'absent') ?? [word];
}

const MEDIA = /_(?:audio|image|video)$/;

/** The kinds of input this request can be billed for: plain, cached, written as asked for, and media only where it can carry some. */
function inputLeaves(bound: RequestBound, automaticWrites: boolean): readonly TokenLeaf[] {
  const media = bound.opaque.length > 0 || bound.serverTools.length > 0;
  return TOKEN_LEAVES.filter((leaf) => {
    if (OUTPUT_LEAVES.has(leaf)) return false;
    if (leaf === 'cache_write_5m') return automaticWrites || bound.cacheWrite !== undefined;
    if (leaf === 'cache_write_1h') return bound.cacheWrite === '1h';
    return media || !MEDIA.test(leaf);
  });
}
