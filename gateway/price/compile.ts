import { canonical } from '../domain/canonical.ts';
import type { Json } from '../domain/json.ts';
import { usdPerMillionToPico } from '../domain/money.ts';
import { type Digest, type EpochMs, epochMs } from '../domain/scalars.ts';
import { type Problem, readSource, type SourceFile } from '../domain/source.ts';
import type { Cashier } from './cashier.ts';
import { Catalogue } from './catalogue.ts';
import { isToolFile, readToolFile } from './compile-tools.ts';
import { costOf } from './cost.ts';
import { explainTerms } from './explain.ts';
import { type Billing, resolveRates } from './leaf-rates.ts';
import { checkPriceFile } from './mistakes.ts';
import { PriceFault } from './price-fault.ts';
import { quoteFor } from './quote.ts';
import type { PriceFile, PriceFileModel, PriceFileRow, PriceFileServiceTier } from './schema.ts';
import {
  ONE,
  type PricedModel,
  type PriceRow,
  type PriceTable,
  type RateCard,
  type TierTerms,
  tablesAsJson,
  toolsAsJson,
} from './table.ts';
import { type PricedTool, ToolBook } from './tool-book.ts';
import { priceTool, type ToolPrice, type ToolRun } from './tool-price.ts';

/** Compiles price files into a cashier. Throws a PriceFault that holds every mistake of every file. `sha256` gives hex digits. */
export function compilePrices(files: readonly SourceFile[], sha256: (text: string) => string): Cashier {
  const problems: Problem[] = [];
  const tables = new Map<string, PriceTable>();
  const tools: PricedTool[] = [];
  const claimed = new Map<string, string>();
  for (const source of files) {
    const doc = readSource(source.path, source.text);
    if (isToolFile(source.path)) {
      const read = readToolFile(doc, claimed);
      problems.push(...read.problems);
      tools.push(...read.tools);
      continue;
    }
    const checked = checkPriceFile(doc);
    problems.push(...checked.problems);
    if (checked.file === undefined) continue;
    if (tables.has(checked.file.provider))
      problems.push(
        doc.problem(['provider'], `the provider \`${checked.file.provider}\` has another price file; merge the two`),
      );
    else tables.set(checked.file.provider, compileTable(checked.file));
  }
  if (tables.size === 0 && problems.length === 0)
    problems.push({
      file: 'pricing',
      line: 1,
      column: 1,
      message: 'there is no price table; add `<provider>.yaml` to the pricing folder',
    });
  if (problems.length > 0) throw new PriceFault(problems);

  const catalogue = new Catalogue([...tables.values()]);
  const book = new ToolBook(tools);
  const json = { tables: tablesAsJson([...tables.values()]), tools: toolsAsJson(tools) };
  const digest = `sha256:${sha256(canonical(json))}` as Digest;
  return {
    digest,
    providers: [...tables.keys()].sort(),
    quote: (provider, bound, at, strict) => quoteFor(catalogue, provider, bound, at, strict),
    cost: (provider, requested, usage, at) => costOf(catalogue, digest, provider, requested, usage, at),
    terms: (provider, requested, entry, at) => explainTerms(catalogue, provider, requested, entry, at),
    tool: (server, tool, args, at) => priceOf(book, server, tool, args, undefined, at),
    toolCost: (server, tool, args, run, at) => priceOf(book, server, tool, args, run, at),
  };
}

function priceOf(
  book: ToolBook,
  server: string | undefined,
  tool: string,
  args: Json,
  run: ToolRun | undefined,
  at: EpochMs,
): ToolPrice | undefined {
  const entry = book.find(server, tool);
  return entry && priceTool(entry, args, run, at);
}

function compileTable(file: PriceFile): PriceTable {
  const baseTier = file.base_tier ?? 'default';
  const billing: Billing = {
    includes: new Set([...(file.input_includes ?? []), ...(file.output_includes ?? [])]),
    billedAs: file.billed_as ?? {},
  };
  return {
    provider: file.provider,
    baseTier,
    automaticWrites: file.cache_writes === 'automatic',
    askedTier: new Map(Object.entries(file.asked?.tier ?? {})),
    askedRegion: new Map(Object.entries(file.asked?.region ?? {})),
    models: file.models.map((model) => compileModel(file, model, baseTier, billing)),
  };
}

function compileModel(file: PriceFile, model: PriceFileModel, baseTier: string, billing: Billing): PricedModel {
  const fees = Object.entries({ ...file.fees, ...model.fees });
  return {
    id: model.id,
    aliases: model.aliases ?? [],
    prefixes: model.prefixes ?? [],
    dated: model.dated ?? false,
    window: model.window,
    maxOutput: model.max_output,
    rows: model.rows.map((row) => compileRow(file, row, baseTier, billing)).sort(newestFirst),
    regions: new Map(
      Object.entries({ ...file.regions, ...model.regions }).map(([name, times]) => [name, usdPerMillionToPico(times)]),
    ),
    fees: new Map(fees.map(([name, { per_1000 }]) => [name, usdPerMillionToPico(per_1000) * 1000n])),
  };
}

function newestFirst(a: PriceRow, b: PriceRow): number {
  return b.from - a.from || Number(a.hours === undefined) - Number(b.hours === undefined);
}

function compileRow(file: PriceFile, row: PriceFileRow, baseTier: string, billing: Billing): PriceRow {
  const card = compileCard(row.rates, row.tiers ?? [], billing);
  const terms = (tier: PriceFileServiceTier): TierTerms =>
    'times' in tier
      ? { card, times: usdPerMillionToPico(tier.times) }
      : { card: compileCard(tier.rates, tier.tiers ?? [], billing), times: ONE };
  const named = Object.entries({ ...file.service_tiers, ...row.service_tiers });
  return {
    from: epochMs(Date.parse(`${row.from}T00:00:00Z`)),
    hours: row.hours === undefined ? undefined : [minuteOfDay(row.hours[0]), minuteOfDay(row.hours[1])],
    tiers: new Map([[baseTier, { card, times: ONE }], ...named.map(([name, tier]) => [name, terms(tier)] as const)]),
  };
}

const minuteOfDay = (time: string): number => Number(time.slice(0, 2)) * 60 + Number(time.slice(3));

function compileCard(
  base: PriceFileRow['rates'],
  cliffs: NonNullable<PriceFileRow['tiers']>,
  billing: Billing,
): RateCard {
  return {
    steps: [
      { inputOver: -1, rates: resolveRates(base, billing) },
      ...cliffs.map(({ input_over, rates }) => ({ inputOver: input_over, rates: resolveRates(rates, billing) })),
    ],
  };
}
