import type { Dialect } from '../ports/dialect.ts';
import { errorBody, keepAlive } from './openai-chat/saying.ts';
import { editReply } from './openai-responses/edit-reply.ts';
import { readReply } from './openai-responses/read-reply.ts';
import { readRequest } from './openai-responses/read-request.ts';
import { errorEvents } from './openai-responses/saying.ts';
import { ResponseStreamReader } from './openai-responses/stream-reader.ts';

const ROUTE = /^(?:\/v1){0,2}\/responses$/;

/** OpenAI responses and the servers that speak the same (https://platform.openai.com/docs/api-reference/responses). */
export const openaiResponses: Dialect = {
  name: 'openai-responses',
  claims: (method, path) => method === 'POST' && ROUTE.test(path),
  upstreamPath: () => '/v1/responses',
  credentialHeaders: ['authorization'],
  read: (doc, bytes) => readRequest(doc, bytes),
  readReply,
  editReply,
  openStream: (reading) => new ResponseStreamReader(reading),
  error: errorBody,
  errorEvents,
  keepAlive,
};
