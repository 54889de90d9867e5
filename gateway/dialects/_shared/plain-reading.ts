import type { TextPart } from '../../domain/action.ts';
import { isObject, type Json, type JsonObject, type JsonText, member } from '../../domain/json.ts';
import type { RequestBound } from '../../domain/pricing.ts';
import type { Reading } from '../../ports/dialect.ts';
import { badRequest } from '../openai-chat/expect.ts';

/** What differs between requests that carry neither tools nor a conversation. */
interface PlainRequest {
  readonly bound: RequestBound;
  /** what the user asks for */
  readonly input: readonly TextPart[];
  /** other texts that the model reads */
  readonly others?: readonly TextPart[];
  readonly stream?: boolean;
}

/** A pointer into nothing: an edit there cannot land, and an edit that cannot land is a denial. */
export const NO_CAP = '/-/-';

/** The body of a request. Throws a Fault (`TG_BAD_REQUEST`) where it is no object. */
export function bodyOf({ value }: JsonText): JsonObject {
  if (!isObject(value)) throw badRequest('body', 'must be a JSON object');
  return value;
}

/** The model a body names. Throws a Fault (`TG_BAD_REQUEST`) where it names none and there is no default. */
export function modelIn(body: JsonObject, fallback?: string): string {
  const model = member(body, 'model') ?? fallback;
  if (typeof model !== 'string' || model === '') throw badRequest('model', 'must be a string that names the model');
  return model;
}

/** A request without tools, conversation or a field that caps its output. */
export function plainReading(doc: JsonText, { bound, input, others = [], stream = false }: PlainRequest): Reading {
  return {
    doc,
    model: bound.model,
    stream,
    tools: [],
    bound,
    cap: { at: NO_CAP, floor: 1 },
    parts: [...input, ...others],
    input: input.length === 0 ? undefined : { text: input.map(({ text }) => text).join('\n'), parts: input },
    results: [],
    messages: [],
    issuedIds: [],
    asserted: assertedNames(doc.value),
    preparation: [],
  };
}

function assertedNames(body: Json): Record<string, string> {
  const names: Record<string, string> = {};
  for (const name of ['user', 'safety_identifier']) {
    const value = member(body, name);
    if (typeof value === 'string' && value !== '') names[name] = value;
  }
  return names;
}
