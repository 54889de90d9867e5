import type { JsonText } from '../domain/json.ts';
import type { Headers, Reading } from '../ports/dialect.ts';
import type { SocketDialect } from '../ports/socket-language.ts';
import { countReading, countReply } from './_shared/token-count.ts';
import { assistantMark } from './openai-chat/mark.ts';
import { errorBody, keepAlive } from './openai-chat/saying.ts';
import { editReply } from './openai-responses/edit-reply.ts';
import { readReply } from './openai-responses/read-reply.ts';
import { readRequest } from './openai-responses/read-request.ts';
import { claimsRoute, followRoute, isCount, routePath } from './openai-responses/routes.ts';
import { errorEvents } from './openai-responses/saying.ts';
import { responsesSocket } from './openai-responses/socket.ts';
import { ResponseStreamReader } from './openai-responses/stream-reader.ts';

function read(doc: JsonText, bytes: number, _headers: Headers, path?: string): Reading {
  const reading = readRequest(doc, bytes, path);
  return isCount(path) ? countReading(reading) : reading;
}

/**
 * OpenAI responses and the servers that speak the same (https://platform.openai.com/docs/api-reference/responses): with compaction of
 * a conversation, counting, and what runs in the background.
 */
export const openaiResponses: SocketDialect = {
  name: 'openai-responses',
  claims: claimsRoute,
  follow: followRoute,
  upstreamPath: routePath,
  credentialHeaders: ['authorization'],
  read,
  readReply: (doc, reading) =>
    reading?.bound.free ? countReply(doc, 'input_tokens', assistantMark('', [])) : readReply(doc, reading),
  editReply,
  openStream: (reading) => new ResponseStreamReader(reading),
  error: errorBody,
  errorEvents,
  keepAlive,
  socket: responsesSocket,
};
