import { asCount, asString, isArray, isObject, type Json, type JsonObject, member } from '../../domain/json.ts';
import type { RequestBound } from '../../domain/pricing.ts';
import { blockType, objectsOf } from './block.ts';
import type { Message } from './conversation.ts';

/** Tools the provider runs itself, by the start of their `type`, and the fee each use is counted under. */
const PROVIDER_TOOLS = [
  ['web_search', 'web_search'],
  ['web_fetch', 'web_fetch'],
  ['code_execution', 'code_execution'],
  ['advisor', 'advisor'],
  ['tool_search_tool', 'tool_search'],
] as const;

/** Every tool a request declares: in `tools`, and in the middle of the conversation (`tool_addition`). */
export function toolDefinitions(body: JsonObject, messages: readonly Message[]): JsonObject[] {
  const declared = objectsOf(body['tools']).map(({ block }) => block);
  const added = messages.flatMap(({ content }) =>
    isArray(content) ? content.filter((block) => blockType(block) === 'tool_addition') : [],
  );
  return [...declared, ...added.map((block) => member(block['tool'], 'definition')).filter(isObject)];
}

/** The name rules and receipts know a declared tool by; toolsets and connectors have none of their own. */
export function toolName(tool: JsonObject): string {
  return asString(tool['name']) ?? asString(tool['mcp_server_name']) ?? blockType(tool);
}

/** What the request shows of its worst case (meter.md 3.1). */
export function boundOf(
  body: JsonObject,
  messages: readonly Message[],
  tools: readonly JsonObject[],
  bytes: number,
): RequestBound {
  const tier = body['speed'] === 'fast' ? 'fast' : (asString(body['service_tier']) ?? 'auto');
  const region = asString(body['inference_geo']);
  const cacheWrite = dearestWrite(body);
  return {
    model: asString(body['model']) ?? '',
    bytes,
    outputCap: asCount(body['max_tokens']),
    choices: 1,
    tier,
    ...(region !== undefined && { region }),
    ...(cacheWrite !== undefined && { cacheWrite }),
    opaque: [...opaqueKinds(body, messages)],
    serverTools: providerTools(body, tools),
  };
}

function providerTools(body: JsonObject, tools: readonly JsonObject[]): RequestBound['serverTools'] {
  const found = tools.flatMap((tool) => {
    const fee = PROVIDER_TOOLS.find(([start]) => blockType(tool).startsWith(start))?.[1];
    if (fee === undefined) return [];
    const maxUses = asCount(tool['max_uses']);
    return [{ fee, ...(maxUses !== undefined && { maxUses }) }];
  });
  return isArray(body['mcp_servers']) && body['mcp_servers'].length > 0 ? [...found, { fee: 'mcp' }] : found;
}

/** Content whose size is not in the body. */
function opaqueKinds(body: JsonObject, messages: readonly Message[]): Set<string> {
  const kinds = new Set<string>();
  for (const { content } of messages) if (isArray(content)) for (const block of content) addOpaque(block, kinds);
  if (body['container'] !== undefined && body['container'] !== null) kinds.add('container');
  if (isArray(body['mcp_servers']) && body['mcp_servers'].length > 0) kinds.add('mcp_servers');
  if (isObject(body['thread'])) kinds.add('stored_context');
  if (body['fallbacks'] !== undefined && body['fallbacks'] !== null) kinds.add('fallbacks');
  const edits = objectsOf(member(body['context_management'], 'edits'));
  // clearing only shortens the prompt; anything else may run the model once more over all of it
  if (edits.some(({ block }) => !blockType(block).startsWith('clear_'))) kinds.add('context');
  return kinds;
}

function addOpaque(block: JsonObject, kinds: Set<string>): void {
  const type = blockType(block);
  const source = blockType(block['source']);
  if (type === 'image') kinds.add('image');
  else if (type === 'container_upload') kinds.add('file');
  else if (type === 'document' && source !== 'text' && source !== 'content') kinds.add('file');
  for (const inner of [block['content'], member(block['source'], 'content')])
    for (const { block: nested } of objectsOf(inner)) addOpaque(nested, kinds);
}

/** The dearest cache lifetime any marker in the request asks for, wherever it stands. */
function dearestWrite(value: Json): '5m' | '1h' | undefined {
  if (isArray(value)) return dearest(value);
  if (!isObject(value)) return undefined;
  const marker = value['cache_control'];
  const own = isObject(marker) ? (marker['ttl'] === '1h' ? '1h' : '5m') : undefined;
  return own === '1h' ? own : (dearest(Object.values(value)) ?? own);
}

function dearest(values: readonly Json[]): '5m' | '1h' | undefined {
  let found: '5m' | '1h' | undefined;
  for (const value of values) {
    const one = typeof value === 'object' ? dearestWrite(value) : undefined;
    if (one === '1h') return one;
    found = one ?? found;
  }
  return found;
}
