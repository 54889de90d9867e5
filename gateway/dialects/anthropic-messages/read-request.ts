import type { TextPart } from '../../domain/action.ts';
import { asString, isArray, isObject, type JsonObject, type JsonText, member } from '../../domain/json.ts';
import type { CarriedResult, Reading, UserInput } from '../../ports/dialect.ts';
import { assertedNames } from './asserted.ts';
import { blockType } from './block.ts';
import { blockParts, contentParts, systemParts } from './block-parts.ts';
import { boundOf, toolDefinitions, toolName } from './bound.ts';
import { badField, conversationOf, type Message } from './conversation.ts';
import { markOf } from './mark.ts';

/** What a `POST /v1/messages` body says. Throws a Fault (`TG_BAD_REQUEST`) that names the field. */
export function readRequest(doc: JsonText, bytes: number): Reading {
  const body = checkedBody(doc);
  const messages = conversationOf(body['messages']);
  const tools = toolDefinitions(body, messages);
  return {
    doc,
    model: body['model'] as string,
    stream: body['stream'] === true,
    tools: [...new Set(tools.map(toolName))],
    bound: boundOf(body, messages, tools, bytes),
    cap: { at: '/max_tokens', floor: leastOutput(body) },
    parts: [...systemParts(body['system']), ...messages.flatMap(messageParts)],
    input: newestInput(messages),
    results: carriedResults(messages),
    messages: messages.flatMap(({ role, content }) => (role === 'system' ? [] : [markOf(role, content)])),
    issuedIds: returnedIds(body, messages),
    asserted: assertedNames(body['metadata']),
    preparation: [],
  };
}

function checkedBody({ value: body }: JsonText): JsonObject {
  if (!isObject(body)) throw badField('body', 'a JSON object');
  if (typeof body['model'] !== 'string' || body['model'] === '') throw badField('model', 'the name of a model');
  const cap = body['max_tokens'];
  if (typeof cap !== 'number' || !Number.isSafeInteger(cap) || cap < 0)
    throw badField('max_tokens', 'a whole number of tokens; the API requires it');
  const { stream, system, tools } = body;
  if (stream !== undefined && stream !== null && typeof stream !== 'boolean')
    throw badField('stream', '`true` or `false`');
  checkSystem(system);
  if (tools !== undefined && tools !== null && !isArray(tools)) throw badField('tools', 'an array of tools');
  if (isArray(tools))
    for (const [i, tool] of tools.entries()) if (!isObject(tool)) throw badField(`tools[${i}]`, 'an object');
  return body;
}

function checkSystem(system: JsonObject[string] | undefined): void {
  if (system === undefined || system === null || typeof system === 'string') return;
  if (!isArray(system)) throw badField('system', 'a string or an array of text blocks');
  for (const [i, block] of system.entries()) {
    if (!isObject(block)) throw badField(`system[${i}]`, 'a text block');
    if (typeof block['text'] !== 'string') throw badField(`system[${i}].text`, 'a string');
  }
}

/** `max_tokens` has to stay above the thinking budget. */
function leastOutput(body: JsonObject): number {
  const budget = member(body['thinking'], 'budget_tokens');
  return blockType(body['thinking']) === 'enabled' && typeof budget === 'number' && budget > 0
    ? Math.ceil(budget) + 1
    : 1;
}

function messageParts({ content, at }: Message): TextPart[] {
  return content === undefined ? [] : contentParts(content, `${at}/content`);
}

/** What the user said since the model last spoke. A prefilled answer at the end is the caller's own and hides nothing. */
function newestInput(messages: readonly Message[]): UserInput | undefined {
  const end = messages.findLastIndex(({ role }) => role === 'user') + 1;
  const start = messages.slice(0, end).findLastIndex(({ role }) => role === 'assistant') + 1;
  const parts = messages
    .slice(start, end)
    .filter(({ role }) => role === 'user')
    .flatMap(({ content, at }) =>
      isArray(content)
        ? content.flatMap((block, i) =>
            block['type'] === 'tool_result' ? [] : blockParts(block, `${at}/content/${i}`),
          )
        : contentParts(content, `${at}/content`),
    );
  return parts.length === 0 ? undefined : { text: parts.map(({ text }) => text).join('\n'), parts };
}

function carriedResults(messages: readonly Message[]): CarriedResult[] {
  const names = new Map<string, string>();
  const results: CarriedResult[] = [];
  for (const { content, at } of messages) {
    if (!isArray(content)) continue;
    for (const [i, block] of content.entries()) {
      const id = asString(block['id']);
      if (id !== undefined && blockType(block).endsWith('tool_use')) names.set(id, asString(block['name']) ?? '');
      if (block['type'] !== 'tool_result') continue;
      const callId = block['tool_use_id'] as string;
      const value = block['content'] ?? null;
      results.push({
        callId,
        tool: names.get(callId) ?? '',
        at: `${at}/content/${i}/content`,
        content: value,
        parts: contentParts(value, ''),
        isError: block['is_error'] === true,
      });
    }
  }
  return results;
}

/** Ids of ours to know again: tool calls, and messages named as what this one continues. */
function returnedIds(body: JsonObject, messages: readonly Message[]): string[] {
  const ids = new Set<string>();
  for (const { content } of messages) {
    if (!isArray(content)) continue;
    for (const block of content) {
      const id = blockType(block).endsWith('tool_use') ? block['id'] : block['tool_use_id'];
      if (typeof id === 'string') ids.add(id);
    }
  }
  for (const holder of [body['thread'], body['diagnostics']]) {
    const previous = asString(member(holder, 'previous_message_id'));
    if (previous !== undefined) ids.add(previous);
  }
  return [...ids];
}
