import { Fault } from '../domain/fault.ts';
import { asCount, asString, isArray, type Json, type JsonText, member } from '../domain/json.ts';
import type { Usage } from '../domain/usage.ts';
import type { Dialect, Reading, ReplyReading } from '../ports/dialect.ts';
import { NO_MARK, plainDialect } from './_shared/plain-dialect.ts';
import { bodyOf, modelIn, plainReading } from './_shared/plain-reading.ts';
import { stringParts } from './_shared/string-parts.ts';
import { badRequest } from './openai-chat/expect.ts';
import { reportedCost } from './openai-chat/reported-cost.ts';

/** OpenAI embeddings and the servers that speak the same (https://platform.openai.com/docs/api-reference/embeddings). */
export const openaiEmbeddings: Dialect = plainDialect({
  name: 'openai-embeddings',
  route: 'embeddings',
  read,
  readReply,
});

/** A text, a list of texts, or tokens: nothing comes out but vectors, so the request alone bounds the cost. */
function read(doc: JsonText, bytes: number): Reading {
  const body = bodyOf(doc);
  const model = modelIn(body);
  const { input } = body;
  if (typeof input !== 'string' && !isArray(input)) throw badRequest('input', 'must be a string or a list');
  // imitations embed images too: a list of parts, or messages
  const opaque = isArray(input) && input.some((one) => typeof one === 'object' && !isArray(one)) ? ['image'] : [];
  const bound = { model, bytes, choices: 1, outputCap: 0, opaque, serverTools: [] };
  return plainReading(doc, { bound, input: stringParts(input, '/input') });
}

function readReply({ value }: JsonText): ReplyReading {
  if (!isArray(member(value, 'data')))
    throw new Fault('TG_UPSTREAM_UNREADABLE', 'the reply is no list of embeddings: it has no `data`');
  const servedModel = asString(member(value, 'model'));
  const usage = usageOf(servedModel, member(value, 'usage'));
  return { usage, servedModel, calls: [], parts: [], text: '', issuedIds: [], mark: NO_MARK };
}

function usageOf(model: string | undefined, usage: Json | undefined): Usage {
  const input = asCount(member(usage, 'prompt_tokens')) ?? asCount(member(usage, 'total_tokens'));
  if (input === undefined) return { entries: [{ model, leaves: {} }], certainty: 'floor' };
  const reported = reportedCost(usage ?? null);
  return { entries: [{ model, leaves: { input } }], certainty: 'exact', ...(reported !== undefined && { reported }) };
}
