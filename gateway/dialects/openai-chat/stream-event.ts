import type { JsonObject } from '../../domain/json.ts';
import { objectIn } from '../_shared/object-in.ts';
import { sseFields } from '../_shared/sse.ts';

/** One event of a chat stream, read. */
export interface StreamEvent {
  readonly text: string;
  readonly kind: 'chunk' | 'done' | 'error' | 'comment' | 'unknown';
  readonly data: string;
  /** the data where it is a JSON object, else an empty one */
  readonly body: JsonObject;
}

const NONE: JsonObject = {};
const decoder = new TextDecoder();

/** Reads an event; what is no JSON object is `unknown` and never an error. */
export function readEvent(bytes: Uint8Array): StreamEvent {
  const text = decoder.decode(bytes);
  const { event, data } = sseFields(text);
  if (data === undefined) return { text, kind: 'comment', data: '', body: NONE };
  if (data.trim() === '[DONE]') return { text, kind: 'done', data, body: NONE };
  const body = objectIn(data);
  if (!body) return { text, kind: event === 'error' ? 'error' : 'unknown', data, body: NONE };
  const failed = event === 'error' || (body['error'] !== undefined && body['error'] !== null);
  return { text, kind: failed ? 'error' : 'chunk', data, body };
}
