import type { TextPart } from '../../domain/action.ts';
import { asString, isArray, isObject, type Json, type JsonObject, member } from '../../domain/json.ts';
import type { Pointer } from '../../domain/pointer.ts';
import type { CarriedResult, MessageMark, UserInput } from '../../ports/dialect.ts';
import { append } from '../_shared/append.ts';
import { detailParts } from './choice.ts';
import { contentMark, contentParts, joinTexts, opaqueKinds } from './content.ts';
import { badRequest, optionalObject, optionalObjects, optionalString } from './expect.ts';
import { assistantMark, isUniqueId, type MarkedCall, toolMark, userMark } from './mark.ts';

/** What the conversation of a request says. */
export interface Conversation {
  readonly parts: TextPart[];
  readonly results: CarriedResult[];
  readonly marks: MessageMark[];
  readonly issuedIds: Set<string>;
  readonly opaque: Set<string>;
  /** the user's parts since the model last spoke */
  input: TextPart[];
}

interface HistoryCall extends MarkedCall {
  readonly id: string;
  /** where its argument text stands */
  readonly at: Pointer;
}

/** Reads `messages`. Throws a Fault that names the field where one is not what the gate relies on. */
export function readConversation(body: Json): Conversation {
  const list = member(body, 'messages');
  if (!isArray(list) || list.length === 0) throw badRequest('messages', 'must be a list with at least one message');
  const found: Conversation = {
    parts: [],
    results: [],
    marks: [],
    issuedIds: new Set(),
    opaque: new Set(),
    input: [],
  };
  const tools = new Map<string, string>();
  for (const [i, message] of list.entries()) {
    if (!isObject(message)) throw badRequest(`messages[${i}]`, 'must be an object');
    readMessage(found, tools, message, i);
  }
  return found;
}

/** The user's words as one text, or undefined where the user said nothing since the model last spoke. */
export const inputOf = ({ input }: Conversation): UserInput | undefined =>
  input.length === 0 ? undefined : { text: joinTexts(input, '\n'), parts: input };

function readMessage(found: Conversation, tools: Map<string, string>, message: JsonObject, i: number): void {
  const role = member(message, 'role');
  if (typeof role !== 'string' || role === '') throw badRequest(`messages[${i}].role`, 'must be a string');
  const content = contentOf(message, i);
  const at = `/messages/${i}`;
  const texts = contentParts(content, `${at}/content`, true);
  append(found.parts, texts);
  for (const kind of opaqueKinds(content)) found.opaque.add(kind);
  if (role === 'assistant') readAssistant(found, tools, message, i);
  else if (role === 'tool' || role === 'function') readResult(found, tools, message, i);
  else if (role === 'user') {
    append(found.input, texts);
    found.marks.push(userMark(() => contentMark(content)));
  }
}

/** A string, a list of parts, or nothing. */
function contentOf(message: JsonObject, i: number): Json {
  const content = member(message, 'content') ?? null;
  if (content === null || typeof content === 'string') return content;
  const field = `messages[${i}].content`;
  if (!isArray(content)) throw badRequest(field, 'must be a string or a list of parts');
  for (const [j, part] of content.entries()) {
    if (!isObject(part)) throw badRequest(`${field}[${j}]`, 'must be an object');
    const type = optionalString(part, 'type', `${field}[${j}].type`);
    if (type === undefined) throw badRequest(`${field}[${j}].type`, 'is missing');
    if (type === 'text' && typeof part['text'] !== 'string')
      throw badRequest(`${field}[${j}].text`, 'must be a string');
  }
  return content;
}

function readAssistant(found: Conversation, tools: Map<string, string>, message: JsonObject, i: number): void {
  const at = `/messages/${i}`;
  found.input = [];
  for (const name of ['refusal', 'reasoning_content', 'reasoning'] as const) {
    append(found.parts, contentParts(asString(member(message, name)), `${at}/${name}`));
  }
  append(found.parts, detailParts(message, at));
  const calls = historyCalls(message, i);
  for (const { id, tool, at: place, raw } of calls) {
    if (raw !== '') found.parts.push({ at: place, text: raw });
    if (id === '') continue;
    tools.set(id, tool);
    if (isUniqueId(id)) found.issuedIds.add(id);
  }
  if (isObject(member(message, 'audio'))) found.opaque.add('audio');
  const visible = contentParts(member(message, 'content'), '');
  found.marks.push(assistantMark(joinTexts(visible) + (asString(member(message, 'refusal')) ?? ''), calls));
}

function historyCalls(message: JsonObject, i: number): HistoryCall[] {
  const field = `messages[${i}].tool_calls`;
  const calls = optionalObjects(message, 'tool_calls', field).map((call, j): HistoryCall => {
    const custom = optionalObject(call, 'custom', `${field}[${j}].custom`);
    const holder = custom === undefined ? 'function' : 'custom';
    const text = custom === undefined ? 'arguments' : 'input';
    const body = custom ?? optionalObject(call, 'function', `${field}[${j}].function`) ?? {};
    return {
      id: optionalString(call, 'id', `${field}[${j}].id`) ?? '',
      tool: optionalString(body, 'name', `${field}[${j}].${holder}.name`) ?? '',
      raw: optionalString(body, text, `${field}[${j}].${holder}.${text}`) ?? '',
      at: `/messages/${i}/tool_calls/${j}/${holder}/${text}`,
    };
  });
  const legacy = optionalObject(message, 'function_call', `messages[${i}].function_call`);
  if (legacy === undefined) return calls;
  const tool = optionalString(legacy, 'name', `messages[${i}].function_call.name`) ?? '';
  const raw = optionalString(legacy, 'arguments', `messages[${i}].function_call.arguments`) ?? '';
  return [...calls, { id: '', tool, raw, at: `/messages/${i}/function_call/arguments` }];
}

function readResult(found: Conversation, tools: Map<string, string>, message: JsonObject, i: number): void {
  const callId = optionalString(message, 'tool_call_id', `messages[${i}].tool_call_id`) ?? '';
  const name = optionalString(message, 'name', `messages[${i}].name`) ?? '';
  // what the assistant called is what ran; the result's own label only fills a gap
  const tool = tools.get(callId) ?? name;
  const content = member(message, 'content') ?? null;
  if (callId !== '' && isUniqueId(callId)) found.issuedIds.add(callId);
  const at = `/messages/${i}/content`;
  found.results.push({ callId, tool, at, content, parts: contentParts(content, '', true), isError: false });
  found.marks.push(toolMark(tool, () => contentMark(content)));
}
