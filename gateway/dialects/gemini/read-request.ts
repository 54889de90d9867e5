import type { TextPart } from '../../domain/action.ts';
import { asString, isObject, type Json, type JsonText, member } from '../../domain/json.ts';
import type { RequestBound } from '../../domain/pricing.ts';
import type { Headers, Reading } from '../../ports/dialect.ts';
import { inputOf, readConversation } from './contents.ts';
import { badRequest, messagesIn, optionalCount, optionalObject, optionalString, type Placed } from './field.ts';
import { partText } from './part.ts';
import { type Route, routeOf } from './route.ts';
import { serverToolName, serverTools } from './server-tools.ts';

/** Reads a generateContent request. Throws a Fault (`TG_BAD_REQUEST`) that names the field the gate cannot rely on. */
export function readRequest(doc: JsonText, bytes: number, headers: Headers, path: string | undefined): Reading {
  return readContents(doc, bytes, headers, routeOf(path, headers));
}

/** The same where the route is known. */
export function readContents(doc: JsonText, bytes: number, headers: Headers, route: Route): Reading {
  const body = doc.value;
  if (!isObject(body)) throw badRequest('body', 'must be a JSON object');
  const conversation = readConversation(body);
  const config = optionalObject(body, 'generationConfig', '');
  const place = `/${config?.name ?? 'generationConfig'}`;
  const cap = optionalCount(config?.value, 'maxOutputTokens', place);
  const choices = optionalCount(config?.value, 'candidateCount', place);
  if (optionalString(body, 'cachedContent', '') !== undefined) conversation.opaque.add('stored_context');
  const tools = messagesIn(body, 'tools', '');
  return {
    doc,
    model: route.model,
    stream: route.stream,
    tools: toolNames(tools),
    bound: {
      model: route.model,
      bytes,
      choices: (choices?.value as number | undefined) ?? 1,
      opaque: [...conversation.opaque],
      serverTools: tools.flatMap(({ value }) => serverTools(value)),
      ...(cap !== undefined && { outputCap: cap.value as number }),
      ...placed(body, headers, route),
    },
    cap: config
      ? { at: `${place}/${cap?.name ?? 'maxOutputTokens'}`, floor: 1 }
      : { at: place, floor: 1, json: (tokens) => `{"maxOutputTokens":${tokens}}` },
    parts: [...systemParts(body), ...conversation.parts, ...toolParts(tools)],
    input: inputOf(conversation),
    results: conversation.results,
    messages: conversation.marks,
    issuedIds: [...conversation.issuedIds],
    asserted: assertedNames(body),
    preparation: [],
  };
}

/** Tier and region: the body's word, or the headers and the location of Vertex AI. */
function placed(body: Json, headers: Headers, route: Route): Pick<RequestBound, 'tier' | 'region'> {
  const shared = headers['x-vertex-ai-llm-shared-request-type'];
  const tier = optionalString(body, 'serviceTier', '') ?? (typeof shared === 'string' ? shared : undefined);
  return {
    ...(tier !== undefined && { tier: tier.toLowerCase() }),
    ...(route.location !== undefined && { region: route.location }),
  };
}

function systemParts(body: Json): TextPart[] {
  const system = optionalObject(body, 'systemInstruction', '');
  if (system === undefined) return [];
  return messagesIn(system.value, 'parts', `/${system.name}`).flatMap(({ at, value }) => {
    const text = partText(value);
    return text === undefined || text.text === '' ? [] : [{ at: at + text.at, text: text.text }];
  });
}

const declarations = (tools: readonly Placed[]): Placed[] =>
  tools.flatMap(({ at, value }) => messagesIn(value, 'functionDeclarations', at));

function toolNames(tools: readonly Placed[]): string[] {
  const declared = declarations(tools).map(({ value }) => asString(member(value, 'name')) ?? '');
  const ran = tools.flatMap(({ value }) => (isObject(value) ? Object.keys(value).flatMap(serverToolName) : []));
  return [...new Set([...declared, ...ran])].filter((name) => name !== '');
}

/** What tools say of themselves: the model reads it too. */
function toolParts(tools: readonly Placed[]): TextPart[] {
  return declarations(tools).flatMap(({ at, value }) => {
    const text = asString(member(value, 'description')) ?? '';
    return text === '' ? [] : [{ at: `${at}/description`, text }];
  });
}

/** Vertex AI labels are free words of the caller. */
function assertedNames(body: Json): Record<string, string> {
  const labels = optionalObject(body, 'labels', '')?.value;
  const names: Record<string, string> = {};
  for (const [label, name] of [
    ['user', 'user'],
    ['session', 'session'],
    ['session_id', 'session'],
  ] as const) {
    const value = asString(member(labels, label));
    if (value !== undefined && value !== '') names[name] ??= value;
  }
  return names;
}
