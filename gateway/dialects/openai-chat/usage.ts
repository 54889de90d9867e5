import { asCount, isObject, type Json, member } from '../../domain/json.ts';
import type { Pico } from '../../domain/scalars.ts';
import type { Leaves, TokenLeaf } from '../../domain/usage.ts';
import { reportedCost, statedFees } from './reported-cost.ts';

/** One `usage` object, taken apart (meter.md 1.1). */
export interface ChatUsage {
  readonly leaves: Leaves;
  /** prompt and completion are both known; without one of them nothing may be refunded */
  readonly complete: boolean;
  readonly estimated: boolean;
  readonly fees: Readonly<Record<string, number>>;
  readonly reported: Pico | undefined;
}

interface Split {
  readonly leaves: Leaves;
  readonly estimated: boolean;
}

type Part = readonly [TokenLeaf, number];

const countOf = (value: Json | undefined, ...names: readonly string[]): number | undefined => {
  for (const name of names) {
    const count = asCount(member(value, name));
    if (count !== undefined) return count;
  }
  return undefined;
};

const sumOf = (leaves: Leaves): number => Object.values(leaves).reduce((sum, count) => sum + count, 0);

/** Usage as chat completions and their many imitations state it; undefined where the value states no count at all. */
export function chatUsage(usage: Json | undefined): ChatUsage | undefined {
  if (!isObject(usage)) return undefined;
  const prompt = countOf(usage, 'prompt_tokens', 'input_tokens');
  const completion = countOf(usage, 'completion_tokens', 'output_tokens');
  const total = countOf(usage, 'total_tokens');
  if (prompt === undefined && completion === undefined && total === undefined) return undefined;
  const rest = (other: number | undefined): number | undefined =>
    total === undefined || other === undefined ? undefined : Math.max(0, total - other);
  const input = splitInput(usage, prompt ?? rest(completion) ?? 0);
  const output = splitOutput(usage, completion ?? rest(prompt) ?? total ?? 0, total, sumOf(input.leaves));
  const derived = prompt === undefined || completion === undefined;
  return {
    leaves: { ...input.leaves, ...output.leaves },
    complete: !derived || (total !== undefined && (prompt !== undefined || completion !== undefined)),
    estimated: derived || input.estimated || output.estimated,
    fees: statedFees(usage),
    reported: reportedCost(usage),
  };
}

function splitInput(usage: Json, prompt: number): Split {
  const details = member(usage, 'prompt_tokens_details') ?? member(usage, 'input_tokens_details');
  const cached = countOf(details, 'cached_tokens') ?? countOf(usage, 'prompt_cache_hit_tokens', 'cached_tokens') ?? 0;
  const cachedKinds = member(details, 'cached_tokens_details');
  const cachedAudio = Math.min(cached, countOf(cachedKinds, 'audio_tokens') ?? 0);
  const cachedImage = Math.min(cached - cachedAudio, countOf(cachedKinds, 'image_tokens') ?? 0);
  const less = (count: number | undefined, inCache: number): number => Math.max(0, (count ?? 0) - inCache);
  return subsets(prompt, 'input', [
    ['cache_read', cached - cachedAudio - cachedImage],
    ['cache_read_audio', cachedAudio],
    ['cache_read_image', cachedImage],
    [
      'cache_write_5m',
      countOf(details, 'cache_write_tokens', 'cache_creation_input_tokens', 'cache_creation_tokens') ?? 0,
    ],
    ['input_image', less(countOf(details, 'image_tokens'), cachedImage)],
    ['input_video', less(countOf(details, 'video_tokens'), 0)],
    ['input_audio', less(countOf(details, 'audio_tokens'), cachedAudio)],
  ]);
}

function splitOutput(usage: Json, completion: number, total: number | undefined, input: number): Split {
  const details = member(usage, 'completion_tokens_details') ?? member(usage, 'output_tokens_details');
  const reasoning = countOf(details, 'reasoning_tokens') ?? countOf(usage, 'reasoning_tokens') ?? 0;
  const media: Part[] = [
    ['output_image', countOf(details, 'image_tokens') ?? 0],
    ['output_audio', countOf(details, 'audio_tokens') ?? 0],
  ];
  const unsaid = total === undefined ? 0 : total - input - completion;
  // xAI: reasoning comes on top of the completion, and the total shows it
  if (unsaid > 0 && unsaid === reasoning) {
    const visible = subsets(completion, 'output', media);
    return { leaves: { ...visible.leaves, reasoning }, estimated: visible.estimated };
  }
  const split = subsets(completion, 'output', [['reasoning', reasoning], ...media]);
  if (unsaid === 0) return split;
  // the total states more than the parts: charged as output, the dearest they can be
  const output = (split.leaves.output ?? 0) + Math.max(0, unsaid);
  return { leaves: { ...split.leaves, output }, estimated: true };
}

/**
 * Takes parts out of a whole that contains them; the rest is `leaf`. Parts that overlap give way in the order they are listed, the
 * cheapest first; a part larger than the whole cannot be inside it and is counted beside it. Both are estimates.
 */
function subsets(whole: number, leaf: TokenLeaf, parts: readonly Part[]): Split {
  const leaves: Partial<Record<TokenLeaf, number>> = {};
  const beside = parts.filter(([, count]) => count > whole);
  const inside = parts.filter(([, count]) => count > 0 && count <= whole);
  let excess = inside.reduce((sum, [, count]) => sum + count, 0) - whole;
  const estimated = beside.length > 0 || excess > 0;
  leaves[leaf] = Math.max(0, -excess);
  for (const [name, count] of inside) {
    const given = Math.min(count, Math.max(0, excess));
    excess -= given;
    if (count > given) leaves[name] = count - given;
  }
  for (const [name, count] of beside) leaves[name] = count;
  return { leaves, estimated };
}
