import { Fault } from '../domain/fault.ts';
import { asString, isObject, type JsonText, member } from '../domain/json.ts';
import type { Dialect, Headers, Reading, ReplyReading } from '../ports/dialect.ts';
import { formEnvelope } from './_shared/form-envelope.ts';
import { plainDialect } from './_shared/plain-dialect.ts';
import { openSpeech, readSpeech } from './openai-audio/speech.ts';
import { TranscriptReader } from './openai-audio/transcript-reader.ts';
import { editTranscript, readTranscript, readTranscription } from './openai-audio/transcription.ts';
import { badRequest } from './openai-chat/expect.ts';
import { errorEvents } from './openai-responses/saying.ts';

const ROUTE = /^(?:\/v1){0,2}(\/audio\/(?:speech|transcriptions|translations))$/;

/** Only a request for a transcript has a file. */
const asksForSpeech = ({ doc }: Reading): boolean => !isObject(member(doc.value, 'file'));

function read(doc: JsonText, bytes: number, headers: Headers, path = ''): Reading {
  if (!/\/audio\/trans(?:criptions|lations)(?:\?|$)/.test(path)) return readSpeech(doc, bytes);
  if (!String(headers['content-type']).startsWith('multipart/')) throw badRequest('body', 'must be a multipart form');
  return readTranscription(doc, bytes);
}

function readReply(doc: JsonText, reading?: Reading): ReplyReading {
  if (reading && asksForSpeech(reading))
    throw new Fault('TG_UPSTREAM_UNREADABLE', 'the reply is no speech: neither sound nor a stream of events');
  return readTranscript(doc, reading);
}

/** Text for people: subtitles and plain transcripts. */
const isText = (contentType: string, { doc }: Reading): boolean =>
  /^(?:text\/(?!event-stream)|application\/(?:x-)?subrip)/.test(contentType) ||
  /^(?:text|srt|vtt)$/.test(asString(member(doc.value, 'response_format')) ?? '');

/**
 * OpenAI speech, transcriptions and translations (https://platform.openai.com/docs/api-reference/audio): forms and sound beside JSON.
 * A keep-alive would be heard, so there is none.
 */
export const openaiAudio: Dialect = {
  ...plainDialect({ name: 'openai-audio', route: 'audio/speech', read, readReply, errorEvents }),
  claims: (method, path) => method === 'POST' && ROUTE.test(path),
  upstreamPath: (path) => `/v1${ROUTE.exec(path)?.[1] ?? '/audio/speech'}`,
  unwrap: formEnvelope,
  isPlainText: (contentType, reading) =>
    !asksForSpeech(reading) && !contentType.startsWith('application/json') && isText(contentType, reading),
  isStream: (contentType, reading) =>
    contentType.startsWith('text/event-stream') ||
    (asksForSpeech(reading) && !contentType.startsWith('application/json')),
  editReply: editTranscript,
  openStream: (reading) => (asksForSpeech(reading) ? openSpeech(reading) : new TranscriptReader(reading)),
  keepAlive: new Uint8Array(0),
};
