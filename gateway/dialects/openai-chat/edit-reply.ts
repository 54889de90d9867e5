import { isArray, type Json, type JsonText, member } from '../../domain/json.ts';
import { type Splice, spliceAll } from '../../domain/json-splice.ts';
import type { ReplyChanges } from '../../ports/dialect.ts';
import { append } from '../_shared/append.ts';
import { wireArguments } from './arguments.ts';
import { choiceNumber, messageCalls } from './choice.ts';

export const BLANK_LINE = '\n\n';

/** A complete reply with the changes made as splices. Throws a RangeError where one has nowhere to land. */
export function editReply(doc: JsonText, changes: ReplyChanges): string {
  const moved = changes.texts.map(
    (edit): Splice =>
      edit.op === 'set' ? { at: edit.at, json: JSON.stringify(edit.value) } : { at: edit.at, remove: true },
  );
  const text = spliceAll(doc.text, moved);
  const body = moved.length === 0 ? doc.value : (JSON.parse(text) as Json);
  const choices = member(body, 'choices');
  const splices: Splice[] = [];
  const landed = new Set<string>();
  for (const [i, choice] of (isArray(choices) ? choices : []).entries()) {
    const touched = changes.texts.some((edit) => edit.at.startsWith(`/choices/${i}/`));
    append(splices, editChoice(choice, i, changes, touched, landed));
  }
  for (const slot of [...changes.denied.keys(), ...changes.edited.keys()])
    if (!landed.has(slot)) throw new RangeError(`the reply has no call \`${slot}\``);
  return spliceAll(text, splices);
}

function editChoice(choice: Json, i: number, changes: ReplyChanges, touched: boolean, landed: Set<string>): Splice[] {
  const at = `/choices/${i}`;
  const message = member(choice, 'message');
  const splices: Splice[] = [];
  const said: string[] = [];
  const removed: number[] = [];
  const calls = messageCalls(message, choiceNumber(choice, i));
  for (const [k, call] of calls.entries()) {
    const denial = changes.denied.get(call.slot);
    const args = changes.edited.get(call.slot);
    const legacy = call.slot.endsWith('/function');
    if (denial !== undefined) {
      said.push(denial);
      removed.push(k);
      if (legacy) splices.push({ at: `${at}/message/function_call`, remove: true });
    } else if (args !== undefined) {
      const holder = legacy ? 'function_call' : `tool_calls/${k}/${call.custom ? 'custom' : 'function'}`;
      const place = `${at}/message/${holder}/${call.custom ? 'input' : 'arguments'}`;
      splices.push({ at: place, json: JSON.stringify(wireArguments(args)) });
    } else continue;
    landed.add(call.slot);
  }
  append(splices, removeCalls(message, `${at}/message/tool_calls`, removed));
  if (said.length > 0) splices.push(sayInstead(message, `${at}/message/content`, said));
  const reason = member(choice, 'finish_reason');
  if (removed.length > 0 && removed.length === calls.length && (reason === 'tool_calls' || reason === 'function_call'))
    splices.push({ at: `${at}/finish_reason`, json: '"stop"' });
  // log probabilities repeat the text token by token
  if ((touched || splices.length > 0) && (member(choice, 'logprobs') ?? null) !== null)
    splices.push({ at: `${at}/logprobs`, json: 'null' });
  return splices;
}

/** Last first, so that the places before stay where they are; the whole member goes with its last call. */
function removeCalls(message: Json | undefined, at: string, removed: readonly number[]): Splice[] {
  const list = member(message, 'tool_calls');
  if (!isArray(list)) return [];
  const gone = removed.filter((k) => k < list.length);
  if (gone.length === list.length && list.length > 0) return [{ at, remove: true }];
  return gone.toReversed().map((k) => ({ at: `${at}/${k}`, remove: true }));
}

function sayInstead(message: Json | undefined, at: string, said: readonly string[]): Splice {
  const text = said.join(BLANK_LINE);
  const content = member(message, 'content');
  if (isArray(content)) return { at: `${at}/-`, json: JSON.stringify({ type: 'text', text }) };
  const before = typeof content === 'string' && content !== '' ? content + BLANK_LINE : '';
  return { at, json: JSON.stringify(before + text) };
}
