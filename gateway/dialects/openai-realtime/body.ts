import { asString, isArray, isObject, type Json, type JsonText, member } from '../../domain/json.ts';
import type { Reading } from '../../ports/dialect.ts';
import { NO_CAP } from '../_shared/plain-reading.ts';
import { stringParts } from '../_shared/string-parts.ts';
import type { ToolNames } from '../_shared/tool-names.ts';
import { badRequest, optionalObjects, optionalString } from '../openai-chat/expect.ts';
import { readInput } from '../openai-responses/input-items.ts';
import { declaredTools, serverTools, toolNames, toolTexts } from '../openai-responses/tools.ts';
import type { Context } from './context.ts';

/**
 * Reads what a model will read of a session, an item or a request for a response: `instructions`, `tools` and `input` as a Responses
 * body has them. `asks`: a response is wanted. Throws a Fault (`TG_BAD_REQUEST`) that names the field.
 */
export function readBody(doc: JsonText, bytes: number, context: Context, names: ToolNames, asks: boolean): Reading {
  const body = doc.value;
  if (!isObject(body)) throw badRequest('body', 'must be a JSON object');
  const input = readInput(body['input']);
  optionalObjects(body, 'tools');
  const own = declaredTools(body['tools'], '/tools');
  const outputCap = asks ? capOf(body['max_output_tokens'], context.outputCap) : 0;
  const run = [...serverTools(own, undefined), ...(isArray(body['tools']) ? [] : context.serverTools)];
  const stored = isObject(body['prompt']) ? ['stored_context'] : [];
  const { model } = context;
  return {
    doc,
    model,
    stream: true,
    tools: own.length > 0 ? toolNames(own) : context.tools,
    bound: {
      model,
      bytes: bytes + context.bytes,
      choices: 1,
      opaque: [...new Set([...context.opaque, ...input.opaque, ...stored])],
      serverTools: asks ? run : [],
      ...(outputCap !== undefined && { outputCap }),
    },
    cap: asks ? { at: '/max_output_tokens', floor: 1 } : { at: NO_CAP, floor: 1 },
    parts: [
      ...stringParts(optionalString(body, 'instructions') ?? '', '/instructions'),
      ...stringParts(member(body['prompt'], 'variables') ?? null, '/prompt/variables'),
      ...input.parts,
      ...toolTexts(own),
    ],
    input:
      input.user.length === 0 ? undefined : { text: input.user.map(({ text }) => text).join('\n'), parts: input.user },
    results: names.name(input.results),
    messages: [],
    issuedIds: [...input.issuedIds],
    asserted: assertedNames(member(body['metadata'], 'session_id')),
    preparation: [],
  };
}

/** The output cap of a response: its own, else the session's; `inf` is the model's. */
function capOf(value: Json | undefined, session: number | undefined): number | undefined {
  if (value === undefined || value === null) return session;
  if (value === 'inf') return undefined;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 1) return value;
  throw badRequest('max_output_tokens', 'must be a whole number of at least 1, or `inf`');
}

const assertedNames = (session: Json | undefined): Record<string, string> => {
  const name = asString(session) ?? '';
  return name === '' ? {} : { session: name };
};
