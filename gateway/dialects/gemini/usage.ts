import { asCount, asString, isArray, type Json, type JsonObject } from '../../domain/json.ts';
import type { Leaves, TokenLeaf } from '../../domain/usage.ts';
import { fieldOf } from './field.ts';

type Counts = Partial<Record<TokenLeaf, number>>;
type Media = Partial<Record<'audio' | 'image' | 'video', number>>;

/** `usageMetadata`, taken apart (meter.md 1.1). */
export interface GeminiUsage {
  readonly leaves: Leaves;
  /** the prompt is known; without it nothing may be refunded */
  readonly complete: boolean;
  /** parts that contradict each other or the stated total: the larger reading was kept */
  readonly estimated: boolean;
}

/** Enum names, and the numbers that `enum-encoding=int` writes for them. */
const MEDIA: Readonly<Record<string, keyof Media>> = {
  AUDIO: 'audio',
  IMAGE: 'image',
  DOCUMENT: 'image',
  VIDEO: 'video',
  2: 'image',
  3: 'video',
  4: 'audio',
  5: 'image',
};

/** `*TokensDetails` by medium; text and whatever is not named stay in the rest. */
function media(details: Json | undefined): Media {
  const sum: Media = {};
  for (const part of isArray(details) ? details : []) {
    const modality = fieldOf(part, 'modality');
    const medium = MEDIA[typeof modality === 'number' ? String(modality) : (asString(modality) ?? '')];
    if (medium !== undefined) sum[medium] = (sum[medium] ?? 0) + (asCount(fieldOf(part, 'tokenCount')) ?? 0);
  }
  return sum;
}

/** What stands in a whole beside the named parts; parts that are more than the whole are an estimate. */
function rest(whole: number, ...parts: readonly (number | undefined)[]): { left: number; torn: boolean } {
  const named = parts.reduce<number>((sum, part) => sum + (part ?? 0), 0);
  return { left: Math.max(0, whole - named), torn: named > whole };
}

/** Cumulative statements of one stream: field by field, the last one holds; early ones may name the tier alone. */
export function mergeUsage(before: JsonObject, usage: JsonObject): JsonObject {
  const merged: Record<string, Json> = { ...before };
  for (const [name, value] of Object.entries(usage)) if (value !== null) merged[name] = value;
  return merged;
}

/**
 * `usageMetadata` as disjoint leaves: cached content is a subset of the prompt; thoughts and the tool-use prompt come on top. Cached
 * video has no leaf of its own and stays with cached images. Undefined where no count is stated.
 */
export function geminiUsage(usage: Json | undefined): GeminiUsage | undefined {
  const stated = (name: string): number | undefined => asCount(fieldOf(usage, name));
  const count = (name: string): number => stated(name) ?? 0;
  const total = stated('totalTokenCount');
  if (total === undefined && stated('promptTokenCount') === undefined && stated('candidatesTokenCount') === undefined)
    return undefined;
  const prompt = media(fieldOf(usage, 'promptTokensDetails'));
  const cached = media(fieldOf(usage, 'cacheTokensDetails'));
  const written = media(fieldOf(usage, 'candidatesTokensDetails'));
  const inCache = rest(count('cachedContentTokenCount'), cached.audio, cached.image, cached.video);
  const fresh = {
    audio: Math.max(0, (prompt.audio ?? 0) - (cached.audio ?? 0)),
    image: Math.max(0, (prompt.image ?? 0) - (cached.image ?? 0)),
    video: Math.max(0, (prompt.video ?? 0) - (cached.video ?? 0)),
  };
  const read = count('promptTokenCount');
  const input = rest(read, count('cachedContentTokenCount'), fresh.audio, fresh.image, fresh.video);
  const output = rest(count('candidatesTokenCount'), written.audio, written.image, written.video);
  const leaves: Counts = {
    input: input.left,
    cache_read: inCache.left,
    cache_read_audio: cached.audio ?? 0,
    cache_read_image: (cached.image ?? 0) + (cached.video ?? 0),
    input_audio: fresh.audio,
    input_image: fresh.image,
    input_video: fresh.video,
    tool_prompt: count('toolUsePromptTokenCount'),
    output: output.left,
    output_audio: written.audio ?? 0,
    output_image: written.image ?? 0,
    output_video: written.video ?? 0,
    reasoning: count('thoughtsTokenCount'),
  };
  const sum = Object.values(leaves).reduce((all, one) => all + one, 0);
  // the total states more than the parts: charged as output, the dearest it can be
  const unsaid = Math.max(0, (total ?? 0) - sum);
  leaves.output = (leaves.output ?? 0) + unsaid;
  return {
    leaves: Object.fromEntries(Object.entries(leaves).filter(([, tokens]) => tokens > 0)),
    complete: stated('promptTokenCount') !== undefined,
    estimated: input.torn || inCache.torn || output.torn || (total !== undefined && total !== sum),
  };
}

const TIERS: Readonly<Record<string, string>> = {
  on_demand: 'standard',
  on_demand_flex: 'flex',
  on_demand_priority: 'priority',
  1: 'standard',
  2: 'provisioned_throughput',
};

/** The tier a reply was served at: the Gemini API's `serviceTier`, or Vertex AI's `trafficType` in the same words. */
export function servedTier(usage: Json | undefined): string | undefined {
  const word = fieldOf(usage, 'serviceTier') ?? fieldOf(usage, 'trafficType');
  if (typeof word !== 'string' && typeof word !== 'number') return undefined;
  const name = String(word).toLowerCase();
  return TIERS[name] ?? name;
}
