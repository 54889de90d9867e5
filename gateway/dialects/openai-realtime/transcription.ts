import { asString, type JsonObject, member } from '../../domain/json.ts';
import type { SideUsage } from '../../ports/socket-language.ts';
import { chatUsage } from '../openai-chat/usage.ts';

/** The dearest of the transcription models: taken where the session names none. */
const TRANSCRIBER = 'gpt-4o-transcribe';

/** What writing down the caller's speech used: its own model, its own price. Counted in seconds, its tokens are not known. */
export function transcriptionUsage(body: JsonObject, asked: string | undefined): SideUsage {
  const model = asked ?? TRANSCRIBER;
  const usage = member(body, 'usage');
  const input = { input_tokens_details: member(usage, 'input_token_details') ?? null };
  const stated = asString(member(usage, 'type')) === 'duration' ? undefined : chatUsage({ ...asObject(usage), ...input });
  if (!stated) return { model, usage: { entries: [{ model, leaves: {} }], certainty: 'floor' } };
  return {
    model,
    usage: {
      entries: [{ model, leaves: stated.leaves }],
      certainty: stated.complete ? 'exact' : 'floor',
      ...(stated.estimated && { estimated: true }),
    },
  };
}

const asObject = (value: JsonObject[string] | undefined): JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : {};
