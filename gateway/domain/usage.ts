import type { Pico } from './scalars.ts';

/** The disjoint counts a reply is reduced to: they never overlap and add up to the provider's total (meter.md 1.1). */
export const TOKEN_LEAVES = [
  'input',
  'cache_read',
  'cache_write_5m',
  'cache_write_1h',
  'output',
  'reasoning',
  'tool_prompt',
  'input_audio',
  'input_image',
  'input_video',
  'cache_read_audio',
  'cache_read_image',
  'output_audio',
  'output_image',
  'output_video',
] as const;
export type TokenLeaf = (typeof TOKEN_LEAVES)[number];

export type Leaves = Readonly<Partial<Record<TokenLeaf, number>>>;

/** What one model served inside one reply; a reply has several entries when the provider ran several (compaction, advisor, fallback). */
export interface UsageEntry {
  /** the id the reply names; undefined: the model that was asked for */
  readonly model?: string | undefined;
  readonly leaves: Leaves;
  /** how often each fee was incurred: `web_search`, `file_search`, `code_session` … */
  readonly fees?: Readonly<Record<string, number>> | undefined;
  /** as served, in the provider's own word: `default`, `flex`, `priority`, `batch` … */
  readonly tier?: string | undefined;
  /** where the reply says it was served: `us`, `global` … */
  readonly region?: string | undefined;
}

/** `exact`: the terminal usage was seen; `floor`: the reply ended early, at least this; `ceiling`: only the quote is known. */
export type Certainty = 'exact' | 'floor' | 'ceiling';

export interface Usage {
  readonly entries: readonly UsageEntry[];
  readonly certainty: Certainty;
  /** a count was derived or a check against the provider's own total failed; the larger reading was kept */
  readonly estimated?: boolean | undefined;
  /** the provider's own statement of what it charges */
  readonly reported?: Pico | undefined;
}

type Counts = { input: number; output: number; cache_read: number; cache_write: number };

function bucketOf(leaf: TokenLeaf): keyof Counts {
  if (leaf.startsWith('cache_read')) return 'cache_read';
  if (leaf.startsWith('cache_write')) return 'cache_write';
  return leaf.startsWith('input') || leaf === 'tool_prompt' ? 'input' : 'output';
}

const BUCKETS = Object.fromEntries(TOKEN_LEAVES.map((leaf) => [leaf, bucketOf(leaf)])) as Record<
  TokenLeaf,
  keyof Counts
>;

/** Sums all entries into the four counts that people read. `input` is what was neither read from nor written to a cache. */
export function summarize(usage: Usage): Counts {
  const sum: Counts = { input: 0, output: 0, cache_read: 0, cache_write: 0 };
  for (const { leaves } of usage.entries) {
    for (const leaf in leaves) sum[BUCKETS[leaf as TokenLeaf]] += leaves[leaf as TokenLeaf] ?? 0;
  }
  return sum;
}
