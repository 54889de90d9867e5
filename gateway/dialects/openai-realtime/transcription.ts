import { asCount, asString, isObject, type JsonObject, member } from '../../domain/json.ts';
import type { UsageEntry } from '../../domain/usage.ts';
import type { SideUsage } from '../../ports/socket-language.ts';
import { chatUsage } from '../openai-chat/usage.ts';

/** The dearest of the transcription models: taken where the session names none. */
const TRANSCRIBER = 'gpt-4o-transcribe';

/** What writing down the caller's speech used: its own model, its own price, by tokens or by the second. */
export function transcriptionUsage(body: JsonObject, asked: string | undefined): SideUsage {
  const model = asked ?? TRANSCRIBER;
  const usage = member(body, 'usage');
  const exact = (entry: Omit<UsageEntry, 'model'>): SideUsage => ({
    model,
    usage: { entries: [{ model, ...entry }], certainty: 'exact' },
  });
  const seconds = asCount(member(usage, 'seconds'));
  if (asString(member(usage, 'type')) === 'duration' && seconds !== undefined)
    return exact({ leaves: {}, fees: { second: seconds } });
  const stated = isObject(usage)
    ? chatUsage({ ...usage, input_tokens_details: usage['input_token_details'] ?? null })
    : undefined;
  if (stated?.complete) return exact({ leaves: stated.leaves });
  return { model, usage: { entries: [{ model, leaves: stated?.leaves ?? {} }], certainty: 'floor' } };
}
