import type { TextPart } from '../../domain/action.ts';
import { Fault } from '../../domain/fault.ts';
import { asString, isArray, isObject, type Json, type JsonObject, type JsonText, member } from '../../domain/json.ts';
import type { Pointer } from '../../domain/pointer.ts';
import type { RequestBound } from '../../domain/pricing.ts';
import type { CarriedResult, Reading, UserInput } from '../../ports/dialect.ts';
import { bedrockModel } from '../_shared/bedrock-model.ts';
import { blockParts, blocksOf, cachePoint, opaqueKinds, type PlacedBlock, resultParts } from './content.ts';
import { itemsOf, markOf } from './mark.ts';

const badRequest = (field: string, should: string): Fault => new Fault('TG_BAD_REQUEST', `\`${field}\` ${should}`);

interface Message {
  readonly role: 'user' | 'assistant';
  readonly blocks: readonly PlacedBlock[];
}

/** Reads a Converse request; the path names model and stream. Throws a Fault (`TG_BAD_REQUEST`) that names the field. */
export function readRequest(doc: JsonText, bytes: number, path: string | undefined): Reading {
  const body = doc.value;
  if (!isObject(body)) throw badRequest('body', 'must be a JSON object');
  const { model, region, operation } = bedrockModel(path);
  const messages = messagesOf(body['messages']);
  const system = listOf(body, 'system', '/system');
  const tools = toolsOf(body);
  const all = [...system, ...messages.flatMap(({ blocks }) => blocks)];
  const config = objectOf(body, 'inferenceConfig');
  const cap = config === undefined ? undefined : countOf(config, 'maxTokens', 'inferenceConfig.maxTokens');
  const tier = asString(member(body['serviceTier'], 'type'));
  const optimized = asString(member(body['performanceConfig'], 'latency')) === 'optimized' ? 'optimized' : undefined;
  const floor = leastOutput(body);
  return {
    doc,
    model,
    stream: operation === 'converse-stream',
    tools: [...new Set(tools.map(toolName))].filter((name) => name !== ''),
    bound: {
      model,
      bytes,
      choices: 1,
      region,
      opaque: [
        ...new Set([...all.flatMap(opaqueKinds), ...(body['promptVariables'] === undefined ? [] : ['stored_context'])]),
      ],
      serverTools: tools.flatMap(serverTool),
      ...(cap !== undefined && { outputCap: cap }),
      ...((optimized ?? tier) !== undefined && { tier: optimized ?? tier }),
      ...cacheWrite([...all, ...tools]),
    },
    cap: config
      ? { at: '/inferenceConfig/maxTokens', floor }
      : { at: '/inferenceConfig', floor, json: (tokens) => `{"maxTokens":${tokens}}` },
    parts: [...all.flatMap(blockParts), ...tools.flatMap(toolParts)],
    input: newestInput(messages),
    results: results(messages),
    messages: messages.map(({ role, blocks }) => markOf(role, itemsOf(blocks))),
    issuedIds: [...new Set(messages.flatMap(({ blocks }) => blocks.flatMap(callIds)))],
    asserted: assertedNames(body['requestMetadata']),
    preparation: [],
  };
}

function objectOf(body: JsonObject, name: string): JsonObject | undefined {
  const value = body[name] ?? undefined;
  if (value !== undefined && !isObject(value)) throw badRequest(name, 'must be an object');
  return value;
}

function countOf(holder: JsonObject, name: string, field: string): number | undefined {
  const value = holder[name] ?? undefined;
  if (value === undefined) return undefined;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 1) return value;
  throw badRequest(field, 'must be a whole number of at least 1');
}

function listOf(body: JsonObject, name: string, at: Pointer): PlacedBlock[] {
  const list = body[name] ?? undefined;
  if (list === undefined) return [];
  if (!isArray(list)) throw badRequest(at.slice(1), 'must be a list');
  for (const [i, item] of list.entries())
    if (!isObject(item)) throw badRequest(`${at.slice(1)}/${i}`, 'must be an object');
  return blocksOf(list, at);
}

/** A stored prompt brings its own messages: the list may be absent. */
function messagesOf(list: Json | undefined): Message[] {
  if (list === undefined || list === null) return [];
  if (!isArray(list)) throw badRequest('messages', 'must be a list');
  return list.map((message, i): Message => {
    if (!isObject(message)) throw badRequest(`messages/${i}`, 'must be an object');
    const role = message['role'];
    if (role !== 'user' && role !== 'assistant')
      throw badRequest(`messages/${i}/role`, 'must be `user` or `assistant`');
    const blocks = listOf(message, 'content', `/messages/${i}/content`);
    for (const { at, block } of blocks)
      if (block['text'] !== undefined && typeof block['text'] !== 'string')
        throw badRequest(`${at.slice(1)}/text`, 'must be a string');
    return { role, blocks };
  });
}

const toolsOf = (body: JsonObject): PlacedBlock[] => {
  const config = objectOf(body, 'toolConfig');
  return config === undefined ? [] : listOf(config, 'tools', '/toolConfig/tools');
};

const toolName = ({ block }: PlacedBlock): string =>
  asString(member(block['toolSpec'], 'name')) ?? asString(member(block['systemTool'], 'name')) ?? '';

const toolParts = ({ at, block }: PlacedBlock): TextPart[] => {
  const text = asString(member(block['toolSpec'], 'description')) ?? '';
  return text === '' ? [] : [{ at: `${at}/toolSpec/description`, text }];
};

const serverTool = ({ block }: PlacedBlock): RequestBound['serverTools'] => {
  const fee = asString(member(block['systemTool'], 'name'));
  return fee === undefined ? [] : [{ fee }];
};

function cacheWrite(blocks: readonly PlacedBlock[]): Pick<RequestBound, 'cacheWrite'> {
  const points = blocks.map(({ block }) => cachePoint(block)).filter((ttl) => ttl !== undefined);
  return points.length === 0 ? {} : { cacheWrite: points.includes('1h') ? '1h' : '5m' };
}

/** The cap has to stay above a thinking budget, whose place depends on the model. */
function leastOutput(body: JsonObject): number {
  const fields = body['additionalModelRequestFields'];
  const budgets = ['thinking', 'reasoning_config'].map((name) => member(member(fields, name), 'budget_tokens'));
  const counts = budgets.filter((budget) => typeof budget === 'number' && Number.isFinite(budget) && budget > 0);
  return counts.length === 0 ? 1 : Math.ceil(Math.max(...(counts as number[]))) + 1;
}

/** What the user said since the model last spoke. */
function newestInput(messages: readonly Message[]): UserInput | undefined {
  const end = messages.findLastIndex(({ role }) => role === 'user') + 1;
  const start = messages.slice(0, end).findLastIndex(({ role }) => role === 'assistant') + 1;
  const parts = messages
    .slice(start, end)
    .flatMap(({ blocks }) => blocks.filter(({ block }) => block['toolResult'] === undefined).flatMap(blockParts));
  return parts.length === 0 ? undefined : { text: parts.map(({ text }) => text).join('\n'), parts };
}

function results(messages: readonly Message[]): CarriedResult[] {
  const names = new Map<string, string>();
  return messages.flatMap(({ blocks }) =>
    blocks.flatMap(({ at, block }): CarriedResult[] => {
      const call = block['toolUse'];
      const id = asString(member(call, 'toolUseId'));
      if (id !== undefined) names.set(id, asString(member(call, 'name')) ?? '');
      const result = block['toolResult'];
      if (!isObject(result)) return [];
      const callId = asString(result['toolUseId']) ?? '';
      const content = result['content'] ?? null;
      const isError = result['status'] === 'error';
      const place = `${at}/toolResult/content`;
      return [{ callId, tool: names.get(callId) ?? '', at: place, content, parts: resultParts(content, ''), isError }];
    }),
  );
}

const callIds = ({ block }: PlacedBlock): string[] =>
  [member(block['toolUse'], 'toolUseId'), member(block['toolResult'], 'toolUseId')].filter(
    (id) => typeof id === 'string' && id.length >= 8,
  ) as string[];

function assertedNames(metadata: Json | undefined): Record<string, string> {
  const names: Record<string, string> = {};
  for (const [key, name] of [
    ['user', 'user'],
    ['user_id', 'user'],
    ['session_id', 'session'],
  ] as const) {
    const value = asString(member(metadata, key));
    if (value !== undefined && value !== '') names[name] ??= value;
  }
  return names;
}
