import type { TextPart } from '../domain/action.ts';
import { Fault } from '../domain/fault.ts';
import { asString, isArray, type Json, type JsonText, member } from '../domain/json.ts';
import type { Dialect, Reading, ReplyReading } from '../ports/dialect.ts';
import { NO_MARK, plainDialect } from './_shared/plain-dialect.ts';
import { bodyOf, modelIn, plainReading } from './_shared/plain-reading.ts';
import { stringParts } from './_shared/string-parts.ts';
import { badRequest } from './openai-chat/expect.ts';

/** What the API takes where the request names no model. */
const DEFAULT_MODEL = 'omni-moderation-latest';

/** OpenAI moderations (https://platform.openai.com/docs/api-reference/moderations): free of charge, which the price table says. */
export const openaiModerations: Dialect = plainDialect({
  name: 'openai-moderations',
  route: 'moderations',
  read,
  readReply,
});

function read(doc: JsonText, bytes: number): Reading {
  const body = bodyOf(doc);
  const model = modelIn(body, DEFAULT_MODEL);
  const { input } = body;
  if (typeof input !== 'string' && !isArray(input)) throw badRequest('input', 'must be a string or a list');
  const images = isArray(input) && input.some((part) => member(part, 'type') === 'image_url');
  const bound = { model, bytes, choices: 1, outputCap: 0, opaque: images ? ['image'] : [], serverTools: [] };
  return plainReading(doc, { bound, input: isArray(input) ? input.flatMap(partTexts) : stringParts(input, '/input') });
}

const partTexts = (part: Json, i: number): TextPart[] =>
  typeof part === 'string'
    ? stringParts(part, `/input/${i}`)
    : stringParts(asString(member(part, 'text')) ?? '', `/input/${i}/text`);

/** It states no usage and costs nothing: no tokens, for certain. */
function readReply({ value }: JsonText): ReplyReading {
  if (!isArray(member(value, 'results')))
    throw new Fault('TG_UPSTREAM_UNREADABLE', 'the reply is no moderation: it has no list of `results`');
  const servedModel = asString(member(value, 'model'));
  const usage = { entries: [{ model: servedModel, leaves: {} }], certainty: 'exact' as const };
  return { usage, servedModel, calls: [], parts: [], text: '', issuedIds: [], mark: NO_MARK };
}
