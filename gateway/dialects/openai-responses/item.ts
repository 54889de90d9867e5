import { asString, isArray, isObject, type Json, type JsonObject, member } from '../../domain/json.ts';
import type { Splice } from '../../domain/json-splice.ts';
import { childPointer, type Pointer } from '../../domain/pointer.ts';
import type { ProposedCall } from '../../ports/dialect.ts';
import { stringParts } from '../_shared/string-parts.ts';
import { proposedCall, wireArguments } from '../openai-chat/arguments.ts';
import type { MarkedCall } from '../openai-chat/mark.ts';

export const itemType = (item: Json | undefined): string => asString(member(item, 'type')) ?? 'message';
export const itemId = (item: Json | undefined): string => asString(member(item, 'id')) ?? '';

/** How a call item carries what it would do: a JSON text, free text, one value, or several members. */
type Payload =
  | { readonly form: 'json' | 'text' | 'value'; readonly name: string }
  | { readonly form: 'members'; readonly names: readonly string[] };

/** What makes an item a call that the client is to run. */
export interface CallKind {
  /** the name that rules know the tool by, where the item has no `name` */
  readonly tool: string;
  readonly payload: Payload;
}

const KINDS: Readonly<Record<string, CallKind>> = {
  function_call: { tool: '', payload: { form: 'json', name: 'arguments' } },
  custom_tool_call: { tool: '', payload: { form: 'text', name: 'input' } },
  mcp_approval_request: { tool: '', payload: { form: 'json', name: 'arguments' } },
  local_shell_call: { tool: 'local_shell', payload: { form: 'value', name: 'action' } },
  shell_call: { tool: 'shell', payload: { form: 'value', name: 'action' } },
  apply_patch_call: { tool: 'apply_patch', payload: { form: 'value', name: 'operation' } },
  computer_call: { tool: 'computer', payload: { form: 'members', names: ['action', 'actions'] } },
  tool_search_call: { tool: 'tool_search', payload: { form: 'value', name: 'arguments' } },
};

/**
 * How to read the call that an item proposes; undefined for every other item, those that the provider runs itself included: a shell
 * call in one of its containers, a tool search of its own.
 */
export function callKind(item: JsonObject): CallKind | undefined {
  const type = itemType(item);
  if (!Object.hasOwn(KINDS, type)) return undefined;
  if (type === 'tool_search_call' && item['execution'] !== 'client') return undefined;
  if (type === 'shell_call' && isHosted(item['environment'])) return undefined;
  return KINDS[type];
}

export const isHosted = (environment: Json | undefined): boolean =>
  /^container/.test(asString(member(environment, 'type')) ?? '');

const RUNS = new Set([
  'web_search_call',
  'file_search_call',
  'code_interpreter_call',
  'image_generation_call',
  'mcp_call',
  'shell_call',
  'tool_search_call',
  'program',
  'compaction',
]);

/** True for an item that shows that the provider ran something itself, after which the model read its window again. */
export const isProviderRun = (item: JsonObject): boolean => RUNS.has(itemType(item)) && callKind(item) === undefined;

/** The id under which a call's result comes back. */
export const callIdOf = (item: Json): string => asString(member(item, 'call_id')) || itemId(item);

export const toolOf = (item: JsonObject, kind: CallKind): string => asString(item['name']) ?? kind.tool;

/** The whole call. `torn`: the provider stated it in two ways, so nobody knows which one a client will run. */
export function readCall(slot: string, item: JsonObject, kind: CallKind, torn = false): ProposedCall {
  const space = asString(item['server_label']) ?? asString(item['namespace']);
  // a function that was loaded by a search is its own namespace
  const server = space === item['name'] ? undefined : space;
  const named = { slot, callId: callIdOf(item), tool: toolOf(item, kind), ...(server !== undefined && { server }) };
  const { form } = kind.payload;
  if (form === 'json' || form === 'text') {
    return { ...proposedCall({ ...named, raw: rawPayload(item, kind), custom: form === 'text', torn }), ...named };
  }
  const args = payloadValue(item, kind);
  return { ...named, args, parts: stringParts(args), malformed: torn || !isObject(args) };
}

/** A call's payload as one text: what two statements of it are compared by, and what a mark is made of. */
export function rawPayload(item: JsonObject, kind: CallKind): string {
  const { payload } = kind;
  if (payload.form !== 'json' && payload.form !== 'text') return JSON.stringify(payloadValue(item, kind));
  const value = item[payload.name];
  return typeof value === 'string' ? value : value === undefined || value === null ? '' : JSON.stringify(value);
}

function payloadValue(item: JsonObject, { payload }: CallKind): Json {
  if (payload.form !== 'members') return item[payload.name] ?? {};
  const present = payload.names.filter((name) => (item[name] ?? null) !== null);
  return Object.fromEntries(present.map((name) => [name, item[name] as Json]));
}

/** Puts edited arguments into the item at `at`. Throws a RangeError where the edit has another shape than the call. */
export function payloadSplices(kind: CallKind, at: Pointer, args: Json): Splice[] {
  const { payload } = kind;
  if (payload.form === 'value') return [{ at: childPointer(at, payload.name), json: JSON.stringify(args) }];
  if (payload.form !== 'members')
    return [{ at: childPointer(at, payload.name), json: JSON.stringify(wireArguments(args)) }];
  if (!isObject(args) || !Object.keys(args).every((name) => payload.names.includes(name)))
    throw new RangeError(`edited arguments of \`${kind.tool}\` have only ${payload.names.join(' and ')}`);
  return Object.entries(args).map(([name, value]) => ({ at: childPointer(at, name), json: JSON.stringify(value) }));
}

/** The call as a mark knows it: the same in a reply and in the history that brings it back. */
export const markedCall = (item: JsonObject, kind: CallKind, edited?: Json): MarkedCall => ({
  tool: toolOf(item, kind),
  raw: edited === undefined ? rawPayload(item, kind) : wireArguments(edited),
});

/** A stretch of text inside an item. */
export interface ItemText {
  readonly kind: 'text' | 'refusal' | 'reasoning' | 'summary';
  /** its number among the content parts, or among the summary parts */
  readonly index: number;
  /** relative to the item */
  readonly at: Pointer;
  readonly text: string;
}

/** Reasoning is shown apart: what a person reads as the answer is the rest. */
export const isVisible = ({ kind }: Pick<ItemText, 'kind'>): boolean => kind === 'text' || kind === 'refusal';

/** The text of one content part or summary part; undefined where it is something else (an image, a sound). */
export function partText(part: Json | undefined): { kind: ItemText['kind']; member: string; text: string } | undefined {
  const type = asString(member(part, 'type'));
  const kind = type === undefined ? undefined : PART_KINDS[type];
  if (kind === undefined) return undefined;
  const name = kind === 'refusal' ? 'refusal' : SOUND.has(type ?? '') ? 'transcript' : 'text';
  const text = asString(member(part, name));
  return text === undefined ? undefined : { kind, member: name, text };
}

/** Sounds whose words are written beside them. */
const SOUND = new Set(['output_audio', 'audio']);
const PART_KINDS: Readonly<Record<string, ItemText['kind'] | undefined>> = {
  output_text: 'text',
  output_audio: 'text',
  audio: 'text',
  input_text: 'text',
  text: 'text',
  refusal: 'refusal',
  reasoning_text: 'reasoning',
  summary_text: 'summary',
};

/** The texts that a message or a reasoning item of a reply shows. */
export function itemTexts(item: JsonObject): ItemText[] {
  const type = itemType(item);
  if (type !== 'message' && type !== 'reasoning') return [];
  return ['content', 'summary'].flatMap((list): ItemText[] => {
    const parts = item[list];
    if (typeof parts === 'string') return [{ kind: 'text', index: 0, at: `/${list}`, text: parts }];
    return (isArray(parts) ? parts : []).flatMap((part, index) => {
      const found = partText(part);
      return found ? [{ kind: found.kind, index, at: `/${list}/${index}/${found.member}`, text: found.text }] : [];
    });
  });
}
