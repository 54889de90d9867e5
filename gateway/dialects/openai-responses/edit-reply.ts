import type { Json, JsonText } from '../../domain/json.ts';
import { isArray, member } from '../../domain/json.ts';
import { type Splice, spliceAll } from '../../domain/json-splice.ts';
import { resolvePointer } from '../../domain/pointer.ts';
import type { ReplyChanges } from '../../ports/dialect.ts';
import { append } from '../_shared/append.ts';
import { textSplices } from '../_shared/text-edits.ts';
import { callKind, payloadSplices } from './item.ts';
import { outputItems, outputSlot } from './read-reply.ts';
import { standIn } from './stand-in.ts';

/** A complete response with the changes made as splices. Throws a RangeError where one has nowhere to land. */
export function editReply(doc: JsonText, { denied, edited, texts }: ReplyChanges): string {
  const splices = textSplices(texts);
  // log probabilities repeat the text token by token
  const parts = new Set(texts.map(({ at }) => /^\/output\/\d+\/content\/\d+(?=\/)/.exec(at)?.[0]));
  for (const at of parts) if (at !== undefined) append(splices, clearedLogprobs(doc.value, at));
  const landed = new Set<string>();
  for (const [i, item] of outputItems(doc.value).entries()) {
    const slot = outputSlot(i);
    const kind = callKind(item);
    if (!kind) continue;
    const text = denied.get(slot);
    const args = edited.get(slot);
    if (text !== undefined) splices.push({ at: `/output/${i}`, json: JSON.stringify(standIn(item, text)) });
    else if (args !== undefined) append(splices, payloadSplices(kind, `/output/${i}`, args));
    else continue;
    landed.add(slot);
  }
  for (const slot of [...denied.keys(), ...edited.keys()])
    if (!landed.has(slot)) throw new RangeError(`the reply has no call \`${slot}\``);
  const told = [...texts].some(({ at }) => at.startsWith('/output/')) || denied.size > 0;
  if (told && member(doc.value, 'output_text') !== undefined) splices.push({ at: '/output_text', remove: true });
  return spliceAll(doc.text, splices);
}

/** Empties the log probabilities of a part whose text has changed. */
export function clearedLogprobs(root: Json, at: string): Splice[] {
  const logprobs = resolvePointer(root, `${at}/logprobs`);
  return isArray(logprobs) && logprobs.length > 0 ? [{ at: `${at}/logprobs`, json: '[]' }] : [];
}
