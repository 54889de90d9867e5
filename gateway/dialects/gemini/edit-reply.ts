import type { Json, JsonText } from '../../domain/json.ts';
import { type Splice, spliceAll } from '../../domain/json-splice.ts';
import type { ReplyChanges } from '../../ports/dialect.ts';
import { PartEdits } from './part-edits.ts';
import { readCandidates } from './reply.ts';

const NO_TEXTS: ReadonlyMap<string, string> = new Map();

/** A complete reply with the changes made as splices. Throws a RangeError where one has nowhere to land. */
export function editReply(doc: JsonText, changes: ReplyChanges): string {
  const moved = changes.texts.map(
    (edit): Splice =>
      edit.op === 'set' ? { at: edit.at, json: JSON.stringify(edit.value) } : { at: edit.at, remove: true },
  );
  const text = spliceAll(doc.text, moved);
  const body = moved.length === 0 ? doc.value : (JSON.parse(text) as Json);
  const edits = new PartEdits();
  for (const [slot, denial] of changes.denied) edits.denied.set(slot, denial);
  for (const [slot, args] of changes.edited) edits.edited.set(slot, args);
  const pieces = readCandidates(body);
  const slots = new Set(pieces.flatMap(({ candidate }) => candidate.book.calls.map(({ slot }) => slot)));
  for (const slot of [...changes.denied.keys(), ...changes.edited.keys()])
    if (!slots.has(slot)) throw new RangeError(`the reply has no call \`${slot}\``);
  const splices = pieces.flatMap((piece) => {
    if (changes.texts.some((edit) => edit.at.startsWith(`${piece.at}/`))) edits.touch(piece.candidate);
    return edits.edit(body, piece, NO_TEXTS).splices;
  });
  return spliceAll(text, splices);
}
