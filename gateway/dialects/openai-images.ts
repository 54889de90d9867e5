import { Fault } from '../domain/fault.ts';
import { asString, isArray, isObject, type Json, type JsonObject, type JsonText, member } from '../domain/json.ts';
import type { Usage, UsageEntry } from '../domain/usage.ts';
import type { Dialect, Headers, Reading, ReplyReading } from '../ports/dialect.ts';
import { formEnvelope } from './_shared/form-envelope.ts';
import { NO_MARK, plainDialect } from './_shared/plain-dialect.ts';
import { bodyOf, modelIn, plainReading } from './_shared/plain-reading.ts';
import { type QuietEvent, QuietStreamReader } from './_shared/quiet-stream-reader.ts';
import { stringParts } from './_shared/string-parts.ts';
import { badRequest, optionalBoolean, optionalCount } from './openai-chat/expect.ts';
import { reportedCost } from './openai-chat/reported-cost.ts';
import { errorEvents } from './openai-responses/saying.ts';
import { drawnUsage } from './openai-responses/usage.ts';

const ROUTE = /^(?:\/v1){0,2}(\/images\/(?:generations|edits|variations))$/;

/** OpenAI image generation, edits and variations (https://platform.openai.com/docs/api-reference/images): JSON, or forms with files. */
export const openaiImages: Dialect = {
  ...plainDialect({ name: 'openai-images', route: 'images/generations', read, readReply, errorEvents }),
  claims: (method, path) => method === 'POST' && ROUTE.test(path),
  upstreamPath: (path) => `/v1${ROUTE.exec(path)?.[1] ?? '/images/generations'}`,
  unwrap: formEnvelope,
  openStream: (reading) => new QuietStreamReader(streamedImages(reading), NO_MARK),
};

/** Fields of a form are texts. */
const unquoted: Readonly<Record<string, Json>> = { true: true, false: false };

function read(doc: JsonText, bytes: number, _headers: Headers, path = ''): Reading {
  const body = bodyOf(doc);
  // the API's own default has changed over time, and with it the price
  const model = modelIn(body);
  const { prompt = '', n, stream } = body;
  const needed = !/\/variations(?:\?|$)/.test(path);
  if (typeof prompt !== 'string' || (needed && prompt === '')) throw badRequest('prompt', 'must be a string');
  const count = typeof n === 'string' && /^[0-9]{1,4}$/.test(n) ? Number(n) : n;
  const choices = Math.max(optionalCount(count === undefined ? {} : { n: count }, 'n', 1) ?? 1, 1);
  const streamed = typeof stream === 'string' ? (unquoted[stream] ?? stream) : stream;
  // pictures that go in have no bound in the body
  const opaque = /\/images\/(?:edits|variations)(?:\?|$)/.test(path) ? ['image'] : [];
  const bound = { model, bytes, choices, opaque, serverTools: [] };
  return plainReading(doc, {
    bound,
    input: stringParts(prompt, '/prompt'),
    stream: optionalBoolean(streamed === undefined ? {} : { stream: streamed }, 'stream') ?? false,
  });
}

function readReply({ value }: JsonText, reading?: Reading): ReplyReading {
  const data = member(value, 'data');
  if (!isArray(data)) throw new Fault('TG_UPSTREAM_UNREADABLE', 'the reply is no list of images: it has no `data`');
  const parts = data.flatMap((image, i) =>
    stringParts(asString(member(image, 'revised_prompt')) ?? '', `/data/${i}/revised_prompt`),
  );
  const usage = usageOf(value, reading?.model) ?? { entries: [{ leaves: {} }], certainty: 'floor' as const };
  return { usage, servedModel: undefined, calls: [], parts, text: '', issuedIds: [], mark: NO_MARK };
}

/** What a reply or a final event states; undefined where it states nothing, as for models that are paid by the image. */
function usageOf(body: Json, asked: string | undefined): Usage | undefined {
  const stated = member(body, 'usage');
  const read = drawnUsage(stated);
  if (!read) return undefined;
  // the reply does not name the model, so the one that was asked for holds
  const model = asString(member(body, 'model')) ?? asked;
  const drawing = drawingEntry(member(body, 'svg_usage'));
  const reported = reportedCost(stated ?? null);
  return {
    entries: [{ model, leaves: read.leaves }, ...(drawing ? [drawing] : [])],
    certainty: read.complete ? 'exact' : 'floor',
    ...(read.estimated && { estimated: true }),
    ...(reported !== undefined && { reported }),
  };
}

/** Vector images are written by a further model, which is named. */
function drawingEntry(usage: Json | undefined): UsageEntry | undefined {
  if (!isObject(usage)) return undefined;
  const count = (name: string): number => (typeof usage[name] === 'number' ? usage[name] : 0);
  const reasoning = Math.min(count('reasoning_tokens'), count('output_tokens'));
  const leaves = { input: count('input_tokens'), output: count('output_tokens') - reasoning, reasoning };
  return { model: asString(usage['model']), leaves };
}

/** Adds up the final event of each image that was asked for; what several events say together is an estimate. */
function streamedImages({ model, bound }: Reading): (body: JsonObject) => QuietEvent {
  const finals: Usage[] = [];
  return (body) => {
    if (body['type'] === 'error' || isObject(body['error'])) return { failed: true };
    if (body['type'] !== 'image_generation.completed' && body['type'] !== 'image_edit.completed') return {};
    finals.push(usageOf(body, model) ?? { entries: [{ model, leaves: {} }], certainty: 'floor' });
    const over = finals.length >= bound.choices;
    const exact = over && finals.every(({ certainty }) => certainty === 'exact');
    const estimated = finals.length > 1 || finals.some((usage) => usage.estimated);
    const entries = finals.flatMap((usage) => usage.entries);
    return { over, usage: { entries, certainty: exact ? 'exact' : 'floor', ...(estimated && { estimated }) } };
  };
}
