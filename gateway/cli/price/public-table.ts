import { z } from 'zod';
import type { EpochMs } from '../../domain/scalars.ts';
import type { TokenLeaf } from '../../domain/usage.ts';
import { CommandFailure } from '../terminal.ts';

/** A rate of a public table: USD per million tokens, or per thousand uses of a fee, by the size of the prompt. */
export interface PublicRate {
  readonly leaf: TokenLeaf | `fee:${string}`;
  readonly base: number;
  /** ascending; a prompt above `over` tokens costs `usd` for all its tokens */
  readonly steps: readonly { readonly over: number; readonly usd: number }[];
}

export interface PublicModel {
  readonly id: string;
  readonly rates: readonly PublicRate[];
  /** prices in units that this table's models do not have (hours, pages …) */
  readonly incomparable: readonly string[];
}

/** Models of one provider as another table prices them at a time; undefined where it does not know the provider. */
export type PublicTable = (provider: string, at: EpochMs) => readonly PublicModel[] | undefined;

const PACKAGE = '@pydantic/genai-prices';

const tiered = z.union([
  z.number(),
  z.object({ base: z.number(), tiers: z.array(z.object({ start: z.number(), price: z.number() })) }),
]);
const prices = z.record(z.string(), tiered.optional());
const constraint = z.object({
  type: z.string(),
  start_date: z.string().optional(),
  start_time: z.string().optional(),
  end_time: z.string().optional(),
});
const provider = z.object({
  models: z.array(
    z.object({
      id: z.string(),
      prices: z.union([z.array(z.object({ constraint: constraint.optional(), prices })), prices]),
    }),
  ),
});

type Constraint = z.infer<typeof constraint>;
type Prices = z.infer<typeof prices>;

/** Names of prices there → leaves here. */
const LEAVES: Readonly<Record<string, PublicRate['leaf']>> = {
  input_mtok: 'input',
  output_mtok: 'output',
  output_reasoning_mtok: 'reasoning',
  cache_read_mtok: 'cache_read',
  cache_write_mtok: 'cache_write_5m',
  cache_write_1h_mtok: 'cache_write_1h',
  input_audio_mtok: 'input_audio',
  input_image_mtok: 'input_image',
  input_video_mtok: 'input_video',
  cache_audio_read_mtok: 'cache_read_audio',
  cache_image_read_mtok: 'cache_read_image',
  output_audio_mtok: 'output_audio',
  output_image_mtok: 'output_image',
  output_video_mtok: 'output_video',
  web_searches_kcount: 'fee:web_search',
};

/** Providers whose name there is another. */
const NAMES: Readonly<Record<string, string>> = { bedrock: 'aws', xai: 'x-ai' };

/** Opens the table in the npm package `name`. Throws a CommandFailure (2) that says how to install it. */
export async function openPublicTable(name = PACKAGE): Promise<PublicTable> {
  let found: { findProvider?: (options: { providerId: string }) => unknown };
  try {
    // by a name and not a literal: the package is no dependency of the gate, only of this comparison (ADR 0021)
    found = (await import(name)) as typeof found;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new CommandFailure(
      2,
      `the public table to compare with is not installed; run \`npm install --no-save ${name}\`, or leave the comparison out with --no-diff`,
    );
  }
  const { findProvider } = found;
  if (typeof findProvider !== 'function') throw unreadable();
  return (id, at) => {
    const known = findProvider({ providerId: NAMES[id] ?? id });
    if (known === undefined) return undefined;
    const parsed = provider.safeParse(known);
    if (!parsed.success) throw unreadable();
    return parsed.data.models.map((model) => readModel(model.id, pricesAt(model.prices, at)));
  };
}

const unreadable = (): CommandFailure =>
  new CommandFailure(2, `\`${PACKAGE}\` has a form that is not known here; install version 0.1.8, or use --no-diff`);

/** The last row whose condition holds, as that package chooses. */
function pricesAt(rows: Prices | { constraint?: Constraint | undefined; prices: Prices }[], at: EpochMs): Prices {
  if (!Array.isArray(rows)) return rows;
  return rows.findLast((row) => row.constraint === undefined || holds(row.constraint, at))?.prices ?? {};
}

function holds({ start_date, start_time, end_time }: Constraint, at: EpochMs): boolean {
  const iso = new Date(at).toISOString();
  if (start_date !== undefined && start_date > iso.slice(0, 10)) return false;
  if (start_time === undefined || end_time === undefined) return true;
  const [now, from, to] = [iso.slice(11, 19), start_time.slice(0, 8), end_time.slice(0, 8)];
  return from < to ? from <= now && now < to : now >= from || now < to;
}

function readModel(id: string, prices: Prices): PublicModel {
  const rates: PublicRate[] = [];
  const incomparable: string[] = [];
  for (const [name, price] of Object.entries(prices)) {
    const leaf = LEAVES[name];
    if (price === undefined) continue;
    if (leaf === undefined) incomparable.push(name);
    else if (typeof price === 'number') rates.push({ leaf, base: price, steps: [] });
    else {
      const steps = price.tiers.map(({ start, price: usd }) => ({ over: start, usd }));
      rates.push({ leaf, base: price.base, steps: steps.sort((a, b) => a.over - b.over) });
    }
  }
  return { id, rates, incomparable };
}
