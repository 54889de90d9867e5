import type { TextPart } from '../../domain/action.ts';
import { asCount, asString, isArray, isObject, type Json, type JsonText, member } from '../../domain/json.ts';
import type { Splice } from '../../domain/json-splice.ts';
import type { RequestBound } from '../../domain/pricing.ts';
import type { Reading } from '../../ports/dialect.ts';
import { contentParts } from './content.ts';
import {
  badRequest,
  optionalBoolean,
  optionalCount,
  optionalObject,
  optionalObjects,
  optionalString,
} from './expect.ts';
import { inputOf, readConversation } from './messages.ts';

/** Reads a chat completions request. Throws a Fault (`TG_BAD_REQUEST`) that names the field the gate cannot rely on. */
export function readRequest(doc: JsonText, bytes: number): Reading {
  const body = doc.value;
  if (!isObject(body)) throw badRequest('body', 'must be a JSON object');
  const model = member(body, 'model');
  if (typeof model !== 'string' || model === '') throw badRequest('model', 'must be a string that names the model');
  const conversation = readConversation(body);
  const stream = optionalBoolean(body, 'stream') ?? false;
  const cap = outputCap(body);
  const tier = optionalString(body, 'service_tier');
  return {
    doc,
    model,
    stream,
    tools: toolNames(body),
    bound: {
      model,
      bytes,
      choices: Math.max(optionalCount(body, 'n', 1) ?? 1, optionalCount(body, 'best_of', 1) ?? 1),
      opaque: [...conversation.opaque],
      serverTools: serverTools(body),
      ...(cap.value !== undefined && { outputCap: cap.value }),
      ...(tier !== undefined && { tier }),
    },
    cap: { at: cap.at, floor: 1 },
    parts: [...conversation.parts, ...otherParts(body)],
    input: inputOf(conversation),
    results: conversation.results,
    messages: conversation.marks,
    issuedIds: [...conversation.issuedIds],
    asserted: assertedNames(body),
    preparation: stream ? askForUsage(body) : [],
  };
}

/** The one output cap the caller set. Two could be read two ways, so both at once are refused, as the API itself does. */
function outputCap(body: Json): { readonly at: string; readonly value: number | undefined } {
  const newer = optionalCount(body, 'max_completion_tokens', 0);
  const older = optionalCount(body, 'max_tokens', 0);
  if (newer !== undefined && older !== undefined)
    throw badRequest('max_tokens', 'and `max_completion_tokens` are both set; send only one of them');
  return older === undefined ? { at: '/max_completion_tokens', value: newer } : { at: '/max_tokens', value: older };
}

/** `include_usage` must be true or a stream shows no usage (meter.md 1.3). */
function askForUsage(body: Json): Splice[] {
  const options = optionalObject(body, 'stream_options');
  if (options === undefined) return [{ at: '/stream_options', json: '{"include_usage":true}' }];
  if (optionalBoolean(options, 'include_usage', 'stream_options.include_usage') === true) return [];
  return [{ at: '/stream_options/include_usage', json: 'true' }];
}

function toolNames(body: Json): string[] {
  const declared = optionalObjects(body, 'tools').map((tool, i) => {
    const type = optionalString(tool, 'type', `tools[${i}].type`) ?? 'function';
    const holder = member(tool, type === 'custom' ? 'custom' : 'function');
    return asString(member(holder, 'name')) ?? type;
  });
  const legacy = optionalObjects(body, 'functions').map((tool) => asString(member(tool, 'name')) ?? '');
  const ran = serverTools(body).map(({ fee }) => fee);
  return [...new Set([...declared, ...legacy, ...ran])].filter((name) => name !== '');
}

/** Tools that the provider runs by itself, the imitations' own spellings included. */
function serverTools(body: Json): RequestBound['serverTools'] {
  const found: { fee: string; maxUses?: number | undefined }[] = [];
  if (optionalObject(body, 'web_search_options') !== undefined) found.push({ fee: 'web_search' });
  const live = optionalObject(body, 'search_parameters');
  if (live !== undefined && member(live, 'mode') !== 'off')
    found.push({ fee: 'live_search', maxUses: asCount(member(live, 'max_search_results')) });
  if (member(body, 'enable_search') === true) found.push({ fee: 'web_search' });
  const plugins = member(body, 'plugins');
  if (isArray(plugins) && plugins.some((plugin) => member(plugin, 'id') === 'web')) found.push({ fee: 'web_search' });
  for (const tool of optionalObjects(body, 'tools')) {
    const type = asString(member(tool, 'type')) ?? 'function';
    if (type !== 'function' && type !== 'custom') found.push({ fee: type });
  }
  return found;
}

/** Texts outside the conversation that the provider reads too: what tools say of themselves, predicted output. */
function otherParts(body: Json): TextPart[] {
  const described = optionalObjects(body, 'tools').flatMap((tool, i) =>
    ['function', 'custom'].flatMap((holder) =>
      contentParts(asString(member(member(tool, holder), 'description')), `/tools/${i}/${holder}/description`),
    ),
  );
  const legacy = optionalObjects(body, 'functions').flatMap((tool, i) =>
    contentParts(asString(member(tool, 'description')), `/functions/${i}/description`),
  );
  return [
    ...described,
    ...legacy,
    ...contentParts(member(member(body, 'prediction'), 'content'), '/prediction/content'),
  ];
}

function assertedNames(body: Json): Record<string, string> {
  const names: Record<string, string> = {};
  const add = (name: string, value: Json | undefined): void => {
    if (typeof value === 'string' && value !== '') names[name] = value;
  };
  add('user', member(body, 'user'));
  add('safety_identifier', member(body, 'safety_identifier'));
  add('session', member(member(body, 'metadata'), 'session_id'));
  add('prompt_cache_key', member(body, 'prompt_cache_key'));
  return names;
}
