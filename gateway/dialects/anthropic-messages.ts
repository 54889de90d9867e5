import type { Dialect } from '../ports/dialect.ts';
import { readRequest } from './anthropic-messages/read-request.ts';
import { editReply, readReply } from './anthropic-messages/reply.ts';
import { errorBody, errorEvents, keepAlive } from './anthropic-messages/saying.ts';
import { MessageStreamReader } from './anthropic-messages/stream-reader.ts';

const PATH = /^(?:\/v1){0,2}\/messages$/;

/** Anthropic's Messages API: https://platform.claude.com/docs/en/api/messages */
export const anthropicMessages: Dialect = {
  name: 'anthropic-messages',
  claims: (method, path) => method === 'POST' && PATH.test(path),
  upstreamPath: () => '/v1/messages',
  credentialHeaders: ['x-api-key', 'authorization'],
  read: (doc, bytes) => readRequest(doc, bytes),
  readReply,
  editReply,
  openStream: (reading) => new MessageStreamReader(reading),
  error: errorBody,
  errorEvents,
  keepAlive,
};
