import { type Json, member } from '../domain/json.ts';
import type { MetaNames } from '../ports/identity.ts';

/** Members of `_meta` in which clients name their session, strongest first (attribution.md 7). */
const SESSIONS = ['threadId', 'ai.opencode/sessionID', 'antigravity.google/conversation_id'];

/** The member in which a client passes on the id of the model's own call. */
const CALL_IDS = ['claudecode/toolUseId'];

/** What a client says of itself in the `_meta` of a message. What is no text, or an empty one, names nothing. */
export function metaNames(meta: Json | undefined): MetaNames {
  const session = firstText(meta, SESSIONS);
  const callId = firstText(meta, CALL_IDS);
  return { ...(session !== undefined && { session }), ...(callId !== undefined && { callId }) };
}

function firstText(meta: Json | undefined, names: readonly string[]): string | undefined {
  for (const name of names) {
    const value = member(meta, name);
    if (typeof value === 'string' && value !== '') return value;
  }
  return undefined;
}
