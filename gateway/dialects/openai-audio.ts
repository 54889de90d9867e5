import { Fault } from '../domain/fault.ts';
import { asString, isObject, type Json, type JsonObject, type JsonText, member } from '../domain/json.ts';
import type { Usage } from '../domain/usage.ts';
import type { Dialect, Reading } from '../ports/dialect.ts';
import { NO_MARK, plainDialect } from './_shared/plain-dialect.ts';
import { bodyOf, modelIn, plainReading } from './_shared/plain-reading.ts';
import { type QuietEvent, QuietStreamReader } from './_shared/quiet-stream-reader.ts';
import { stringParts } from './_shared/string-parts.ts';
import { badRequest } from './openai-chat/expect.ts';
import { reportedCost } from './openai-chat/reported-cost.ts';
import { chatUsage } from './openai-chat/usage.ts';
import { errorEvents } from './openai-responses/saying.ts';

/**
 * OpenAI speech (https://platform.openai.com/docs/api-reference/audio/createSpeech), as events only: the last of them states usage,
 * the bare sound states none. Transcriptions are multipart forms, which the gate does not read.
 */
export const openaiAudio: Dialect = plainDialect({
  name: 'openai-audio',
  route: 'audio/speech',
  read,
  readReply: () => {
    throw new Fault('TG_UPSTREAM_UNREADABLE', 'the reply is no stream of speech events, so it cannot be metered');
  },
  openStream: (reading) => new QuietStreamReader(spoken(reading), NO_MARK),
  errorEvents,
});

function read(doc: JsonText, bytes: number): Reading {
  const body = bodyOf(doc);
  const model = modelIn(body);
  const { input, instructions } = body;
  if (typeof input !== 'string') throw badRequest('input', 'must be a string');
  if (body['stream_format'] !== 'sse')
    throw badRequest(
      'stream_format',
      'must be `sse`: only as events does speech state its usage, and this gate meters what it carries',
    );
  const bound = { model, bytes, choices: 1, opaque: [], serverTools: [] };
  const others = stringParts(asString(instructions) ?? '', '/instructions');
  return plainReading(doc, { bound, input: stringParts(input, '/input'), others, stream: true });
}

/** The last event states usage; what comes out is sound. */
function spoken({ model }: Reading): (body: JsonObject) => QuietEvent {
  return (body) => {
    if (body['type'] === 'error' || isObject(body['error'])) return { failed: true };
    return body['type'] === 'speech.audio.done' ? { over: true, usage: usageOf(model, member(body, 'usage')) } : {};
  };
}

function usageOf(model: string, stated: Json | undefined): Usage {
  const read = chatUsage(stated);
  if (!read) return { entries: [{ model, leaves: {} }], certainty: 'floor' };
  const { output = 0, output_audio = 0, ...leaves } = read.leaves;
  const reported = reportedCost(stated ?? null);
  return {
    entries: [{ model, leaves: { ...leaves, output_audio: output + output_audio } }],
    certainty: read.complete ? 'exact' : 'floor',
    ...(read.estimated && { estimated: true }),
    ...(reported !== undefined && { reported }),
  };
}
