import { isObject, type JsonText } from '../../domain/json.ts';
import { type Splice, spliceAll } from '../../domain/json-splice.ts';
import type { ReplyChanges } from '../../ports/dialect.ts';

/** Edits of a reply as splices. */
export const textSplices = (texts: ReplyChanges['texts']): Splice[] =>
  texts.map((edit) =>
    edit.op === 'set' ? { at: edit.at, json: JSON.stringify(edit.value) } : { at: edit.at, remove: true },
  );

/** A reply that proposes no calls, its texts edited. Throws a RangeError where a change has nowhere to land. */
export function editTexts(doc: JsonText, { denied, edited, texts }: ReplyChanges): string {
  const [slot] = [...denied.keys(), ...edited.keys()];
  if (slot !== undefined || !isObject(doc.value)) throw new RangeError(`the reply has no call \`${slot}\``);
  return spliceAll(doc.text, textSplices(texts));
}
