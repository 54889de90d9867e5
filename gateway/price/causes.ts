import type { Cause, Cost } from '../domain/pricing.ts';
import { type Nano, nano } from '../domain/scalars.ts';
import { summarize, type Usage } from '../domain/usage.ts';
import { apportion } from './apportion.ts';

/** A stretch of a request, in its order: the step that first brought it, what it is, and its size in characters. */
export interface Segment {
  readonly step: number;
  readonly source: string;
  readonly size: number;
}

/** Tokens that a provider may add to what a request shows: preambles and templates (meter.md 3.1). */
const UNSEEN_TOKENS = 1024;

type Kind = 'read' | 'write' | 'input' | 'own';

function kindOf(leaf: string): Kind {
  if (leaf.startsWith('cache_read')) return 'read';
  if (leaf.startsWith('cache_write')) return 'write';
  return leaf.startsWith('input') || leaf === 'tool_prompt' ? 'input' : 'own';
}

/** What each kind of tokens cost, in picodollars. */
function costByKind({ lines }: Cost): Readonly<Record<Kind, bigint>> {
  const sums = { read: 0n, write: 0n, input: 0n, own: 0n };
  for (const { leaf, amount } of lines) sums[kindOf(leaf)] += amount;
  return sums;
}

/**
 * Who caused what a call was charged (meter.md 4): every stretch of the request pays for its place in the prompt, by the step that first
 * brought it; caching goes by prefix; output, fees and input that the request does not show belong to `step` itself. The amounts add up to
 * `charged` exactly.
 */
export function causesOf(
  step: number,
  segments: readonly Segment[],
  usage: Usage,
  cost: Cost,
  charged: Nano,
): readonly Cause[] {
  const counts = summarize(usage);
  const total = counts.cache_read + counts.cache_write + counts.input;
  const visible = segments.reduce((sum, { size }) => sum + size, 0);
  const shown = Math.min(total, visible * 2 + UNSEEN_TOKENS);
  const all: readonly Segment[] = [...segments, { step, source: 'hidden', size: 0 }];
  const tokens = [
    ...apportion(
      BigInt(shown),
      segments.map(({ size }) => BigInt(size)),
    ),
    BigInt(segments.length === 0 ? total : total - shown),
  ];
  const kinds = costByKind(cost);
  const borders = [
    [0n, BigInt(counts.cache_read), kinds.read],
    [BigInt(counts.cache_read), BigInt(counts.cache_read + counts.cache_write), kinds.write],
    [BigInt(counts.cache_read + counts.cache_write), BigInt(total), kinds.input],
  ] as const;
  const pico = tokens.map(() => 0n);
  for (const [from, to, amount] of borders) {
    const shares = apportion(amount, overlaps(tokens, from, to));
    for (const [i, share] of shares.entries()) pico[i] = (pico[i] as bigint) + share;
  }
  const parts = [...all.map((segment, i) => ({ ...segment, pico: pico[i] as bigint, tokens: Number(tokens[i]) }))];
  parts.push({ step, source: 'output', size: 0, pico: kinds.own, tokens: counts.output });
  return merged(parts, charged);
}

/** How much of [from, to) each stretch covers, laid end to end. */
function overlaps(tokens: readonly bigint[], from: bigint, to: bigint): bigint[] {
  let start = 0n;
  return tokens.map((count) => {
    const end = start + count;
    const low = start > from ? start : from;
    const high = end < to ? end : to;
    start = end;
    return high > low ? high - low : 0n;
  });
}

interface Part extends Segment {
  readonly pico: bigint;
  readonly tokens: number;
}

/** One entry per step and source that has anything, the charge apportioned by picodollars. */
function merged(parts: readonly Part[], charged: Nano): readonly Cause[] {
  const sums = new Map<string, { step: number; source: string; pico: bigint; tokens: number }>();
  for (const { step, source, pico, tokens } of parts) {
    if (pico === 0n && tokens === 0) continue;
    const sum = sums.get(`${step} ${source}`);
    if (sum) {
      sum.pico += pico;
      sum.tokens += tokens;
    } else sums.set(`${step} ${source}`, { step, source, pico, tokens });
  }
  const causes = [...sums.values()];
  const shares = apportion(
    charged,
    causes.map(({ pico }) => pico),
  );
  return causes.map(({ step, source, tokens }, i) => ({ step, source, tokens, amount: nano(shares[i] as bigint) }));
}
