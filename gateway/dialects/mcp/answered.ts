import type { TextPart } from '../../domain/action.ts';
import { isArray, isObject, type Json, type JsonObject, member } from '../../domain/json.ts';
import { childPointer } from '../../domain/pointer.ts';
import type { JudgedPart, RpcMessage } from '../../ports/mcp-wire.ts';
import { append } from '../_shared/append.ts';
import { textParts } from './text-parts.ts';

/** Members of a result that steer the protocol and hold no content. */
const STEERING = new Set([
  'resultType',
  'requestState',
  'nextCursor',
  'ttlMs',
  'cacheScope',
  'isError',
  'protocolVersion',
]);
/** Base64: read by type and size alone. */
const BINARY = new Set(['blob', 'data']);

/** What the answer to a request brings: its result, or its error (mcp-plane.md 9). */
export function answered(request: RpcMessage, response: RpcMessage): JudgedPart[] {
  const { value } = response.doc;
  const tool = toolOf(request);
  const error = value['error'];
  if (error !== undefined) {
    return [{ point: 'post_tool_call', tool, base: '/error', target: error, parts: textParts(error) }];
  }
  const result = value['result'];
  if (!isObject(result)) return [];
  return [{ point: 'post_tool_call', tool, base: '/result', target: result, parts: resultParts(result) }];
}

/** The tool a `tools/call` names, or the method. */
function toolOf(request: RpcMessage): string {
  const name = request.method === 'tools/call' ? member(request.doc.value['params'], 'name') : undefined;
  return typeof name === 'string' ? name : request.method;
}

function resultParts(result: JsonObject): TextPart[] {
  const parts: TextPart[] = [];
  for (const name of Object.keys(result)) {
    if (STEERING.has(name)) continue;
    const at = childPointer('', name);
    const value = result[name] as Json;
    if (name === 'content' || name === 'contents') append(parts, blocks(value, at));
    else if (name === 'messages') append(parts, messages(value, at));
    else append(parts, textParts(value, at));
  }
  return parts;
}

/** Content blocks: every text of them but base64 data, of which text-like types are decoded and read. */
function blocks(value: Json, at: string): TextPart[] {
  if (!isArray(value)) return isObject(value) ? block(value, at) : textParts(value, at);
  return value.flatMap((item, i) =>
    isObject(item) ? block(item, childPointer(at, i)) : textParts(item, childPointer(at, i)),
  );
}

function block(item: JsonObject, at: string): TextPart[] {
  const parts = textParts(item, at, BINARY_AND_RESOURCE);
  for (const name of BINARY) {
    const data = item[name];
    const text = typeof data === 'string' ? textOf(data, item) : undefined;
    if (text !== undefined) parts.push({ at: childPointer(at, name), text, frozen: 'base64' });
  }
  const { resource } = item;
  if (isObject(resource)) append(parts, block(resource, `${at}/resource`));
  else if (resource !== undefined) append(parts, textParts(resource, `${at}/resource`));
  return parts;
}

const BINARY_AND_RESOURCE: ReadonlySet<string> = new Set([...BINARY, 'resource']);
const TEXT_LIKE = /^(?:text\/|application\/(?:[a-z0-9.+-]*\+)?(?:json|xml|yaml|javascript|x-sh|x-yaml|csv)\b)/i;
const DECODED_LIMIT = 1_000_000;

/** The text behind base64 of a text-like type; undefined for everything else. */
function textOf(data: string, item: JsonObject): string | undefined {
  const type = item['mimeType'];
  if (typeof type !== 'string' || !TEXT_LIKE.test(type) || data.length > DECODED_LIMIT) return undefined;
  try {
    const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
    return new TextDecoder().decode(bytes);
  } catch {
    // no base64: the string itself is what a reader would see
    return data;
  }
}

function messages(value: Json, at: string): TextPart[] {
  if (!isArray(value)) return textParts(value, at);
  return value.flatMap((item, i) => {
    const inner = childPointer(at, i);
    const content = member(item, 'content');
    if (content === undefined) return textParts(item, inner);
    return [...textParts(item, inner, new Set(['content'])), ...blocks(content, `${inner}/content`)];
  });
}

/** What a server's notification or its own request brings. Sampling is a model call, everything else a tool's result. */
export function brought(message: RpcMessage): JudgedPart[] {
  const params = message.doc.value['params'];
  if (params === undefined || message.method === 'ping' || message.method === 'roots/list') return [];
  const point = message.method === 'sampling/createMessage' ? 'pre_model_call' : 'post_tool_call';
  return [{ point, tool: message.method, base: '/params', target: params, parts: textParts(params, '', ENVELOPE) }];
}

const ENVELOPE: ReadonlySet<string> = new Set(['progressToken', 'requestId', 'subscriptionId', 'level']);
