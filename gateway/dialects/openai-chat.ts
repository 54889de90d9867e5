import type { Dialect } from '../ports/dialect.ts';
import { editReply } from './openai-chat/edit-reply.ts';
import { readReply } from './openai-chat/read-reply.ts';
import { readRequest } from './openai-chat/read-request.ts';
import { errorBody, errorEvents, keepAlive } from './openai-chat/saying.ts';
import { ChatStreamReader } from './openai-chat/stream-reader.ts';

const ROUTE = /^(?:\/v1){0,2}\/chat\/completions$/;

/** OpenAI chat completions and the many servers that speak the same (https://platform.openai.com/docs/api-reference/chat). */
export const openaiChat: Dialect = {
  name: 'openai-chat',
  claims: (method, path) => method === 'POST' && ROUTE.test(path),
  upstreamPath: () => '/v1/chat/completions',
  credentialHeaders: ['authorization'],
  read: (doc, bytes) => readRequest(doc, bytes),
  readReply,
  editReply,
  openStream: (reading) => new ChatStreamReader(reading),
  error: errorBody,
  errorEvents,
  keepAlive,
};
