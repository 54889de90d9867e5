import type { Dialect } from '../ports/dialect.ts';
import { errorBody, keepAlive } from './openai-chat/saying.ts';
import { editReply } from './openai-responses/edit-reply.ts';
import { readReply } from './openai-responses/read-reply.ts';
import { readRequest } from './openai-responses/read-request.ts';
import { errorEvents } from './openai-responses/saying.ts';
import { ResponseStreamReader } from './openai-responses/stream-reader.ts';

const ROUTE = /^(?:\/v1){0,2}(\/responses(?:\/compact)?)$/;

/**
 * OpenAI responses and the servers that speak the same (https://platform.openai.com/docs/api-reference/responses), compaction of a
 * conversation included.
 */
export const openaiResponses: Dialect = {
  name: 'openai-responses',
  claims: (method, path) => method === 'POST' && ROUTE.test(path),
  upstreamPath: (path) => `/v1${ROUTE.exec(path)?.[1] ?? '/responses'}`,
  credentialHeaders: ['authorization'],
  read: (doc, bytes, _headers, path) => readRequest(doc, bytes, path),
  readReply,
  editReply,
  openStream: (reading) => new ResponseStreamReader(reading),
  error: errorBody,
  errorEvents,
  keepAlive,
};
