import type { Json } from '../domain/json.ts';
import type { EpochMs } from '../domain/scalars.ts';
import type { TokenLeaf } from '../domain/usage.ts';
import type { PricedTool } from './tool-book.ts';

/** What one token of a leaf costs; `own`: the table says so, not a fallback to the parent leaf. */
export interface LeafRate {
  /** picodollars per token */
  readonly rate: bigint;
  readonly own: boolean;
}

export type Rates = Readonly<Record<TokenLeaf, LeafRate>>;

/** A multiplier as a whole number of millionths: `"0.5"` is 500,000. */
export type Millionths = bigint;
export const ONE: Millionths = 1_000_000n;

/** Rates by the size of one prompt: the last step whose `inputOver` the prompt passes holds for all its tokens. */
export interface RateCard {
  /** the first has `inputOver` -1; ascending */
  readonly steps: readonly { readonly inputOver: number; readonly rates: Rates }[];
}

/** What a service tier does: another card, or the same one times a factor. */
export interface TierTerms {
  readonly card: RateCard;
  readonly times: Millionths;
}

export interface PriceRow {
  readonly from: EpochMs;
  /** minutes of the UTC day, [start, end); may pass midnight */
  readonly hours: readonly [number, number] | undefined;
  /** by served tier; the table's base tier is among them */
  readonly tiers: ReadonlyMap<string, TierTerms>;
}

export interface PricedModel {
  readonly id: string;
  readonly aliases: readonly string[];
  readonly prefixes: readonly string[];
  readonly dated: boolean;
  readonly window: number;
  readonly maxOutput: number;
  /** newest first; of two with the same date the one with hours first */
  readonly rows: readonly PriceRow[];
  readonly regions: ReadonlyMap<string, Millionths>;
  /** picodollars for one use */
  readonly fees: ReadonlyMap<string, bigint>;
}

export interface PriceTable {
  readonly provider: string;
  readonly baseTier: string;
  /** writes happen without being asked for: a quote has to expect them */
  readonly automaticWrites: boolean;
  /** the request's word → what it may be served as; `absent` stands for no word */
  readonly askedTier: ReadonlyMap<string, readonly string[]>;
  readonly askedRegion: ReadonlyMap<string, readonly string[]>;
  readonly models: readonly PricedModel[];
}

/** The tables as JSON for a digest: everything that can change a price, nothing else; the order of files is of no matter. */
export function tablesAsJson(tables: readonly PriceTable[]): Json {
  return [...tables]
    .sort((a, b) => (a.provider < b.provider ? -1 : 1))
    .map((table) => plain({ ...table, models: [...table.models].sort((a, b) => (a.id < b.id ? -1 : 1)) }));
}

/** Tool prices as JSON for the same digest. */
export const toolsAsJson = (tools: readonly PricedTool[]): Json =>
  tools
    .map((tool) => ({ ...tool, aliases: [...tool.aliases].sort() }))
    .sort((a, b) => (a.label < b.label ? -1 : 1))
    .map(plain);

function plain(value: unknown): Json {
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Map) return plain(Object.fromEntries(value));
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(
      Object.entries(value)
        .filter(([, inner]) => inner !== undefined)
        .map(([key, inner]) => [key, plain(inner)]),
    );
  return value as Json;
}
