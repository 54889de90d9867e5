import { asCount, asString, isArray, isObject, type Json, member } from '../../domain/json.ts';
import type { Leaves, Usage } from '../../domain/usage.ts';
import type { Reading } from '../../ports/dialect.ts';

/** A `usage` object, taken apart. */
interface Stated {
  readonly leaves: Leaves;
  readonly estimated: boolean;
}

/** Input excludes what was read from and written to a cache (meter.md 1.1); undefined where no count is stated. */
function stated(usage: Json | undefined, asked: '5m' | '1h' | undefined): Stated | undefined {
  const input = asCount(member(usage, 'inputTokens'));
  const output = asCount(member(usage, 'outputTokens'));
  if (input === undefined || output === undefined) return undefined;
  const read = asCount(member(usage, 'cacheReadInputTokens')) ?? 0;
  const written = asCount(member(usage, 'cacheWriteInputTokens')) ?? 0;
  const split = { '5m': 0, '1h': 0 };
  const details = member(usage, 'cacheDetails');
  for (const detail of isArray(details) ? details : []) {
    const ttl = asString(member(detail, 'ttl')) === '1h' ? '1h' : '5m';
    split[ttl] += asCount(member(detail, 'inputTokens')) ?? 0;
  }
  // what the split leaves out takes the dearest lifetime that was asked for
  split[asked ?? '5m'] += Math.max(0, written - split['5m'] - split['1h']);
  const all = input + output + read + split['5m'] + split['1h'];
  const total = asCount(member(usage, 'totalTokens'));
  // older models leave the cache out of the total
  const agrees = total === undefined || total === all || total === input + output;
  const unsaid = agrees || total === undefined ? 0 : Math.max(0, total - all);
  const leaves = {
    input,
    cache_read: read,
    cache_write_5m: split['5m'],
    cache_write_1h: split['1h'],
    output: output + unsaid,
  };
  return {
    leaves: Object.fromEntries(Object.entries(leaves).filter(([, tokens]) => tokens > 0)),
    estimated: !agrees || split['5m'] + split['1h'] > written,
  };
}

/** How a reply was served, where it says so; latency-optimised serving has its own price. */
function servedTier(body: Json): string | undefined {
  if (asString(member(member(body, 'performanceConfig'), 'latency')) === 'optimized') return 'optimized';
  return asString(member(member(body, 'serviceTier'), 'type'));
}

/** The model that a prompt router chose, as the trace names it. */
export function invokedModel(body: Json): string | undefined {
  const named = asString(member(member(member(body, 'trace'), 'promptRouter'), 'invokedModelId'));
  return named?.slice(named.lastIndexOf('/') + 1);
}

/** Usage that a reply or the `metadata` of a stream states; a floor where it states none. `floor`: output that was seen. */
export function converseUsage(body: Json, reading: Reading | undefined, floor: number): Usage {
  const bound = reading?.bound;
  const found = isObject(body) ? stated(body['usage'], bound?.cacheWrite) : undefined;
  const region = bound?.region;
  const entry = {
    model: invokedModel(body),
    leaves: found?.leaves ?? { output: floor },
    tier: servedTier(body),
    ...(region !== undefined && { region }),
  };
  const exact = found !== undefined && (found.leaves.output ?? 0) >= floor;
  const leaves = exact ? entry.leaves : { ...entry.leaves, output: Math.max(floor, entry.leaves.output ?? 0) };
  return {
    entries: [{ ...entry, leaves }],
    certainty: exact ? 'exact' : 'floor',
    ...(found?.estimated && { estimated: true }),
  };
}
