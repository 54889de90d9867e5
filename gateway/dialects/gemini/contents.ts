import type { TextPart } from '../../domain/action.ts';
import { asString, isObject, type Json, type JsonObject, member } from '../../domain/json.ts';
import type { Pointer } from '../../domain/pointer.ts';
import type { CarriedResult, MessageMark, UserInput } from '../../ports/dialect.ts';
import { append } from '../_shared/append.ts';
import { stringParts } from '../_shared/string-parts.ts';
import { badRequest, messagesIn, optionalObject, optionalString, pickOne } from './field.ts';
import { isUniqueId, type MarkedCall, modelMark, resultMark, signatureId, userMark } from './mark.ts';
import { callField, opaqueKind, partText, signatureOf } from './part.ts';

/** What the conversation of a request says. */
export interface Conversation {
  readonly parts: TextPart[];
  readonly results: CarriedResult[];
  readonly marks: MessageMark[];
  readonly issuedIds: Set<string>;
  readonly opaque: Set<string>;
  /** the user's parts since the model last spoke */
  input: TextPart[];
  /** the model's turn that is still being read: clients keep a streamed reply as one content per chunk */
  turn: { text: string; readonly calls: MarkedCall[] } | undefined;
}

/** Reads `contents`. Throws a Fault that names the field where one is not what the gate relies on. */
export function readConversation(body: Json): Conversation {
  const contents = messagesIn(body, 'contents', '');
  if (contents.length === 0) throw badRequest('contents', 'must be a list with at least one content');
  const found: Conversation = {
    parts: [],
    results: [],
    marks: [],
    issuedIds: new Set(),
    opaque: new Set(),
    input: [],
    turn: undefined,
  };
  for (const { at, value } of contents) readContent(found, value, at);
  closeTurn(found);
  return found;
}

/** The user's words as one text, or undefined where the user said nothing since the model last spoke. */
export const inputOf = ({ input }: Conversation): UserInput | undefined =>
  input.length === 0 ? undefined : { text: input.map(({ text }) => text).join('\n'), parts: input };

function readContent(found: Conversation, content: JsonObject, at: Pointer): void {
  const role = optionalString(content, 'role', at) ?? 'user';
  const parts = messagesIn(content, 'parts', at);
  for (const { at: place, value } of parts) readPart(found, value, place, role === 'model');
  if (role === 'model') return;
  closeTurn(found);
  const said = parts.flatMap(({ value }): Json[] => {
    if (resultIn(value) !== undefined) return [];
    const text = partText(value);
    return [text === undefined ? value : text.text];
  });
  for (const { at: place, value } of parts) readResult(found, value, place);
  if (said.length > 0) found.marks.push(userMark(said));
}

/** What the gate relies on inside one part, in one spelling each. */
const RELIED = ['functionCall', 'functionResponse', 'thoughtSignature', 'executableCode', 'codeExecutionResult'];

function readPart(found: Conversation, part: JsonObject, at: Pointer, model: boolean): void {
  for (const name of [...RELIED, 'inlineData', 'fileData']) pickOne(part, name, `${at}/${name}`.slice(1));
  optionalString(part, 'text', at);
  const kind = opaqueKind(part);
  if (kind !== undefined) found.opaque.add(kind);
  const text = partText(part);
  const parts: TextPart[] =
    text === undefined || text.text === ''
      ? []
      : [{ at: at + text.at, text: text.text, ...(text.frozen && { frozen: text.frozen }) }];
  append(found.parts, parts);
  const call = callField(part);
  if (call) append(found.parts, stringParts(member(call.value, 'args') ?? null, `${at}/${call.name}/args`));
  const signature = signatureOf(part);
  const signed = signature === undefined ? undefined : signatureId(signature);
  if (signed !== undefined) found.issuedIds.add(signed);
  if (!model) {
    if (resultIn(part) === undefined) append(found.input, parts);
    return;
  }
  found.input = [];
  found.turn ??= { text: '', calls: [] };
  if (text?.kind === 'text') found.turn.text += text.text;
  if (!call) return;
  const id = asString(member(call.value, 'id')) ?? '';
  if (isUniqueId(id)) found.issuedIds.add(id);
  found.turn.calls.push({
    tool: asString(member(call.value, 'name')) ?? '',
    args: member(call.value, 'args') ?? {},
  });
}

const resultIn = (part: Json): string | undefined =>
  isObject(member(part, 'functionResponse'))
    ? 'functionResponse'
    : isObject(member(part, 'function_response'))
      ? 'function_response'
      : undefined;

function readResult(found: Conversation, part: JsonObject, at: Pointer): void {
  const holder = resultIn(part);
  if (holder === undefined) return;
  const result = member(part, holder);
  const callId = optionalString(result, 'id', `${at}/${holder}`) ?? '';
  const tool = optionalString(result, 'name', `${at}/${holder}`) ?? '';
  const content = optionalObject(result, 'response', `${at}/${holder}`)?.value ?? null;
  // media of a result stand beside its response
  for (const media of messagesIn(result, 'parts', `${at}/${holder}`)) {
    const kind = opaqueKind(media.value);
    if (kind !== undefined) found.opaque.add(kind);
  }
  if (isUniqueId(callId)) found.issuedIds.add(callId);
  const parts = stringParts(content);
  const place = `${at}/${holder}/response`;
  append(
    found.parts,
    parts.map((one) => ({ ...one, at: place + one.at })),
  );
  found.results.push({ callId, tool, at: place, content, parts, isError: member(content, 'error') !== undefined });
  found.marks.push(resultMark(tool, content));
}

function closeTurn(found: Conversation): void {
  const { turn } = found;
  if (turn) found.marks.push(modelMark(turn.text, turn.calls));
  found.turn = undefined;
}
