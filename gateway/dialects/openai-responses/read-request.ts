import type { TextPart } from '../../domain/action.ts';
import { asString, isObject, type Json, type JsonObject, type JsonText, member } from '../../domain/json.ts';
import { childPointer } from '../../domain/pointer.ts';
import type { Reading, UserInput } from '../../ports/dialect.ts';
import { NO_CAP } from '../_shared/plain-reading.ts';
import { stringParts } from '../_shared/string-parts.ts';
import { badRequest, optionalBoolean, optionalCount, optionalObjects, optionalString } from '../openai-chat/expect.ts';
import { isUniqueId } from '../openai-chat/mark.ts';
import { type Input, readInput } from './input-items.ts';
import { partText } from './item.ts';
import { declaredTools, serverTools, toolNames, toolTexts } from './tools.ts';

/** The API refuses a smaller cap. */
const LEAST_CAP = 16;

/** Reads a request for a response. Throws a Fault (`TG_BAD_REQUEST`) that names the field the gate cannot rely on. */
export function readRequest(doc: JsonText, bytes: number, path = ''): Reading {
  const body = doc.value;
  if (!isObject(body)) throw badRequest('body', 'must be a JSON object');
  const prompt = promptOf(body);
  const model = optionalString(body, 'model');
  if (!model)
    throw badRequest(
      'model',
      prompt ? 'must name the model, also with a stored prompt' : 'must be a string that names the model',
    );
  const input = readInput(body['input']);
  optionalObjects(body, 'tools');
  const tools = [...declaredTools(body['tools'], '/tools'), ...input.tools];
  const outputCap = optionalCount(body, 'max_output_tokens', 0);
  const maxCalls = optionalCount(body, 'max_tool_calls', 0);
  const tier = optionalString(body, 'service_tier');
  const stored = storedContext(body, prompt);
  return {
    doc,
    model,
    stream: optionalBoolean(body, 'stream') ?? false,
    tools: toolNames(tools),
    bound: {
      model,
      bytes,
      choices: 1,
      opaque: [...new Set([...input.opaque, ...stored])],
      serverTools: serverTools(tools, maxCalls),
      ...(outputCap !== undefined && { outputCap }),
      ...(tier !== undefined && { tier }),
      ...(body['prompt_cache_retention'] === '24h' && { cacheWrite: '1h' as const }),
    },
    cap: { at: /\/compact(?:\?|$)/.test(path) ? NO_CAP : '/max_output_tokens', floor: LEAST_CAP },
    parts: [...instructions(body), ...promptTexts(prompt), ...input.parts, ...toolTexts(tools)],
    input: userInput(input),
    results: input.results,
    messages: input.marks,
    issuedIds: issuedIds(body, input),
    asserted: assertedNames(body),
    preparation: [],
  };
}

function userInput({ user }: Input): UserInput | undefined {
  return user.length === 0 ? undefined : { text: user.map(({ text }) => text).join('\n'), parts: user };
}

function promptOf(body: JsonObject): JsonObject | undefined {
  const prompt = body['prompt'] ?? undefined;
  if (prompt !== undefined && !isObject(prompt)) throw badRequest('prompt', 'must be an object');
  return prompt;
}

/** What the provider keeps and reads beside the body. */
function storedContext(body: JsonObject, prompt: JsonObject | undefined): string[] {
  const previous = optionalString(body, 'previous_response_id') ?? '';
  const stored = previous !== '' || (body['conversation'] ?? null) !== null || prompt !== undefined;
  const compacts = optionalObjects(body, 'context_management').length > 0;
  return [...(stored ? ['stored_context'] : []), ...(compacts ? ['compaction'] : [])];
}

const instructions = (body: JsonObject): TextPart[] =>
  typeof body['instructions'] === 'string' ? stringParts(body['instructions'], '/instructions') : [];

/** The values put into a stored prompt: texts, or content parts. */
function promptTexts(prompt: JsonObject | undefined): TextPart[] {
  const variables = member(prompt, 'variables');
  if (!isObject(variables)) return [];
  return Object.entries(variables).flatMap(([name, value]) => {
    const at = childPointer('/prompt/variables', name);
    const read = partText(value);
    return read
      ? stringParts(read.text, `${at}/${read.member}`)
      : typeof value === 'string'
        ? stringParts(value, at)
        : [];
  });
}

function issuedIds(body: JsonObject, input: Input): string[] {
  const previous = asString(body['previous_response_id']) ?? '';
  const ids = new Set(input.issuedIds);
  if (isUniqueId(previous)) ids.add(previous);
  return [...ids];
}

function assertedNames(body: JsonObject): Record<string, string> {
  const names: Record<string, string> = {};
  const add = (name: string, value: Json | undefined): void => {
    if (typeof value === 'string' && value !== '') names[name] ??= value;
  };
  add('user', body['user']);
  add('safety_identifier', body['safety_identifier']);
  add('session', codexSession(body));
  add('session', member(body['metadata'], 'session_id'));
  add('prompt_cache_key', body['prompt_cache_key']);
  const conversation = body['conversation'];
  add('conversation', isObject(conversation) ? conversation['id'] : conversation);
  return names;
}

/** Codex writes its session into `client_metadata`, as JSON in a string (attribution.md 3). */
function codexSession(body: JsonObject): Json | undefined {
  const metadata = member(body['client_metadata'], 'x-codex-turn-metadata');
  if (typeof metadata !== 'string') return member(metadata, 'session_id');
  try {
    return member(JSON.parse(metadata) as Json, 'session_id');
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
