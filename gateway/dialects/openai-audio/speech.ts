import { asString, isObject, type Json, type JsonObject, type JsonText, member } from '../../domain/json.ts';
import type { Usage } from '../../domain/usage.ts';
import type { Reading, StreamReader } from '../../ports/dialect.ts';
import { NO_MARK } from '../_shared/plain-dialect.ts';
import { bodyOf, modelIn, plainReading } from '../_shared/plain-reading.ts';
import { type QuietEvent, QuietStreamReader } from '../_shared/quiet-stream-reader.ts';
import { SoundReader } from '../_shared/sound-reader.ts';
import { stringParts } from '../_shared/string-parts.ts';
import { badRequest } from '../openai-chat/expect.ts';
import { reportedCost } from '../openai-chat/reported-cost.ts';
import { chatUsage } from '../openai-chat/usage.ts';

/** Billed by the characters of the text; every later model by tokens. */
const BY_CHARACTER = /^tts-1(?:-|$)/;

/** A text to be spoken. Characters are counted as UTF-16 counts them, never fewer than there are. */
export function readSpeech(doc: JsonText, bytes: number): Reading {
  const body = bodyOf(doc);
  const model = modelIn(body);
  const { input, instructions } = body;
  if (typeof input !== 'string') throw badRequest('input', 'must be a string');
  const units = { character: input.length };
  const bound = { model, bytes, choices: 1, opaque: [], serverTools: [], units };
  const others = stringParts(asString(instructions) ?? '', '/instructions');
  return plainReading(doc, { bound, input: stringParts(input, '/input'), others, stream: true });
}

/** Events, whose last one states usage; or bare sound, which states none: then it is the characters, or the hold. */
export function openSpeech(reading: Reading): StreamReader {
  const { model, bound, doc } = reading;
  if (member(doc.value, 'stream_format') === 'sse') return new QuietStreamReader(spoken(model), NO_MARK);
  const byCharacter = BY_CHARACTER.test(model);
  const fees = { character: bound.units?.['character'] ?? 0 };
  const usage: Usage = byCharacter
    ? { entries: [{ model, leaves: {}, fees }], certainty: 'exact' }
    : { entries: [{ model, leaves: {} }], certainty: 'floor' };
  return new SoundReader(usage, NO_MARK);
}

/** The last event states usage; what comes out is sound. */
function spoken(model: string): (body: JsonObject) => QuietEvent {
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
