import { asCount, type Json, member } from '../../domain/json.ts';
import type { Leaves } from '../../domain/usage.ts';

export const COUNTS = ['input', 'cacheRead', 'cacheWrite', 'write5m', 'write1h', 'output', 'thinking'] as const;
export type Count = (typeof COUNTS)[number];
export type Counts = Readonly<Partial<Record<Count, number>>>;
export type CacheLifetime = '5m' | '1h';

/** The counts one usage object states; null and absent members are left out, a zero is a count. */
export function countsOf(usage: Json | undefined): Counts {
  const split = member(usage, 'cache_creation');
  const stated: Record<Count, number | undefined> = {
    input: asCount(member(usage, 'input_tokens')),
    cacheRead: asCount(member(usage, 'cache_read_input_tokens')),
    cacheWrite: asCount(member(usage, 'cache_creation_input_tokens')),
    write5m: asCount(member(split, 'ephemeral_5m_input_tokens')),
    write1h: asCount(member(split, 'ephemeral_1h_input_tokens')),
    output: asCount(member(usage, 'output_tokens')),
    thinking: asCount(member(member(usage, 'output_tokens_details'), 'thinking_tokens')),
  };
  return Object.fromEntries(COUNTS.flatMap((name) => (stated[name] === undefined ? [] : [[name, stated[name]]])));
}

/**
 * Counts as leaves that do not overlap (meter.md 1.1): input excludes both cache counts, thinking is inside output. A write
 * whose lifetime is not stated takes the dearest one asked for; what contradicts itself keeps the larger reading, `estimated`.
 */
export function leavesOf(counts: Counts, asked: CacheLifetime | undefined): { leaves: Leaves; estimated: boolean } {
  const { write5m = 0, write1h = 0, output = 0, thinking = 0 } = counts;
  const unsplit = (counts.cacheWrite ?? 0) - write5m - write1h;
  const lifetime = asked ?? (write1h > 0 ? '1h' : '5m');
  const rest = Math.max(0, unsplit);
  const split = {
    cache_write_5m: write5m + (lifetime === '5m' ? rest : 0),
    cache_write_1h: write1h + (lifetime === '1h' ? rest : 0),
  };
  const contradicts = (counts.cacheWrite !== undefined && unsplit < 0) || thinking > output;
  const guessed = rest > 0 && (asked === undefined || lifetime === '1h');
  const optional = { cache_read: counts.cacheRead ?? 0, ...split, reasoning: thinking };
  return {
    leaves: {
      input: counts.input ?? 0,
      output: Math.max(0, output - thinking),
      ...Object.fromEntries(Object.entries(optional).filter(([, count]) => count > 0)),
    },
    estimated: contradicts || guessed,
  };
}
