import { usdPerMillionToPico } from '../domain/money.ts';
import { TOKEN_LEAVES, type TokenLeaf } from '../domain/usage.ts';
import type { PriceFileRates } from './schema.ts';
import type { LeafRate, Rates } from './table.ts';

/** Where a leaf without a rate of its own looks for one; never a cheaper kind of the same tokens (cached audio asks audio, not cached text). */
const PARENT: Readonly<Record<TokenLeaf, TokenLeaf | undefined>> = {
  input: undefined,
  output: undefined,
  cache_read: 'input',
  cache_write_5m: 'input',
  cache_write_1h: 'cache_write_5m',
  reasoning: 'output',
  tool_prompt: 'input',
  input_audio: 'input',
  input_image: 'input',
  input_video: 'input',
  cache_read_audio: 'input_audio',
  cache_read_image: 'input_image',
  output_audio: 'output',
  output_image: 'output',
  output_video: 'output',
};

/** How a provider bills leaves its price list does not name: inside the parent's count, or as another leaf. */
export interface Billing {
  readonly includes: ReadonlySet<TokenLeaf>;
  readonly billedAs: Readonly<Partial<Record<TokenLeaf, TokenLeaf | undefined>>>;
}

const CACHE = /^cache_/;

/**
 * A rate for every leaf. A leaf that the provider counts inside its parent is priced as the parent with certainty; a cache
 * leaf never is: there the missing rate is more likely a gap in the table.
 */
export function resolveRates(written: PriceFileRates, billing: Billing): Rates {
  const resolve = (leaf: TokenLeaf): LeafRate => {
    const own = written[leaf];
    if (own !== undefined) return { rate: usdPerMillionToPico(own), own: true };
    const as = billing.billedAs[leaf];
    const target = as ?? PARENT[leaf] ?? 'input';
    const { rate, own: known } = target === leaf ? resolve('input') : resolve(target);
    return { rate, own: known && (as !== undefined || (billing.includes.has(leaf) && !CACHE.test(leaf))) };
  };
  return Object.fromEntries(TOKEN_LEAVES.map((leaf) => [leaf, resolve(leaf)])) as Record<TokenLeaf, LeafRate>;
}
