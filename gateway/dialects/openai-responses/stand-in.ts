import type { Json, JsonObject } from '../../domain/json.ts';
import { itemId } from './item.ts';

/** The message that takes a denied call's place, at the same place in `output`. Its id is made of the call's own. */
export function standIn(call: JsonObject, text: string): JsonObject {
  return {
    id: standInId(call),
    type: 'message',
    status: 'completed',
    role: 'assistant',
    content: [part(text)],
  };
}

const standInId = (call: JsonObject): string => `msg_${itemId(call).replace(/^[a-z]+_/, '') || 'tollgate'}`;

const part = (text: string): JsonObject => ({ type: 'output_text', annotations: [], logprobs: [], text });

/** The events by which a streamed message with this text comes about, in order; without sequence numbers. */
export function standInEvents(
  call: JsonObject,
  outputIndex: number,
  text: string,
): { type: string; body: JsonObject }[] {
  const message = standIn(call, text);
  const item = { output_index: outputIndex };
  const content = { item_id: message['id'] as Json, output_index: outputIndex, content_index: 0 };
  return (
    [
      ['response.output_item.added', { ...item, item: { ...message, status: 'in_progress', content: [] } }],
      ['response.content_part.added', { ...content, part: part('') }],
      ['response.output_text.delta', { ...content, delta: text, logprobs: [] }],
      ['response.output_text.done', { ...content, text, logprobs: [] }],
      ['response.content_part.done', { ...content, part: part(text) }],
      ['response.output_item.done', { ...item, item: message }],
    ] as const
  ).map(([type, body]) => ({ type, body: { type, ...body } }));
}
