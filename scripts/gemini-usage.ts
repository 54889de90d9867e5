import { asCount, asString, isArray, type Json, member } from '../gateway/domain/json.ts';
import type { Leaves, TokenLeaf } from '../gateway/domain/usage.ts';

type Counts = Partial<Record<TokenLeaf, number>>;

const MEDIA = { AUDIO: 'audio', IMAGE: 'image', DOCUMENT: 'image', VIDEO: 'video' } as const;

/** `*TokensDetails` by medium; text and whatever is not named stay in the rest. */
function media(details: Json | undefined): Partial<Record<'audio' | 'image' | 'video', number>> {
  const sum: Partial<Record<'audio' | 'image' | 'video', number>> = {};
  for (const part of isArray(details) ? details : []) {
    const medium = MEDIA[asString(member(part, 'modality')) as keyof typeof MEDIA];
    if (medium !== undefined) sum[medium] = (sum[medium] ?? 0) + (asCount(member(part, 'tokenCount')) ?? 0);
  }
  return sum;
}

/**
 * `usageMetadata` of the Gemini API as disjoint leaves (meter.md 1.1): cached content is a subset of the prompt; thoughts and
 * the tool-use prompt come on top. Cached video has no leaf of its own and stays with cached images.
 */
export function geminiUsage(usage: Json | undefined): Leaves {
  const count = (name: string): number => asCount(member(usage, name)) ?? 0;
  const prompt = media(member(usage, 'promptTokensDetails'));
  const cached = media(member(usage, 'cacheTokensDetails'));
  const candidates = media(member(usage, 'candidatesTokensDetails'));
  const less = (a: number | undefined, b: number | undefined): number => Math.max(0, (a ?? 0) - (b ?? 0));
  const leaves: Counts = {
    cache_read_audio: cached.audio ?? 0,
    cache_read_image: (cached.image ?? 0) + (cached.video ?? 0),
    input_audio: less(prompt.audio, cached.audio),
    input_image: less(prompt.image, cached.image),
    input_video: less(prompt.video, cached.video),
    output_audio: candidates.audio ?? 0,
    output_image: candidates.image ?? 0,
    output_video: candidates.video ?? 0,
    reasoning: count('thoughtsTokenCount'),
    tool_prompt: count('toolUsePromptTokenCount'),
  };
  const cachedMedia = (leaves.cache_read_audio ?? 0) + (leaves.cache_read_image ?? 0);
  const promptMedia = (leaves.input_audio ?? 0) + (leaves.input_image ?? 0) + (leaves.input_video ?? 0);
  const candidateMedia = (leaves.output_audio ?? 0) + (leaves.output_image ?? 0) + (leaves.output_video ?? 0);
  const inCache = count('cachedContentTokenCount');
  leaves.cache_read = less(inCache, cachedMedia);
  leaves.input = less(count('promptTokenCount'), inCache + promptMedia);
  leaves.output = less(count('candidatesTokenCount'), candidateMedia);
  return Object.fromEntries(Object.entries(leaves).filter(([, tokens]) => tokens > 0));
}
