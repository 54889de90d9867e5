import { isObject, type JsonText } from '../domain/json.ts';
import type { Dialect, Reading, ReplyReading } from '../ports/dialect.ts';
import { countReading, countReply } from './_shared/token-count.ts';
import { readBatch, readBatchReply, readStatus, results } from './anthropic-messages/batch.ts';
import { markOf } from './anthropic-messages/mark.ts';
import { readRequest } from './anthropic-messages/read-request.ts';
import { editReply, readReply as readMessage } from './anthropic-messages/reply.ts';
import { claimsRoute, followRoute, operationOf, routePath } from './anthropic-messages/routes.ts';
import { errorBody, errorEvents, keepAlive } from './anthropic-messages/saying.ts';
import { MessageStreamReader } from './anthropic-messages/stream-reader.ts';

function read(doc: JsonText, bytes: number, path: string | undefined): Reading {
  const operation = operationOf(path);
  if (operation === 'message') return readRequest(doc, bytes);
  if (operation === 'batch') return readBatch(doc, bytes);
  // counting takes no cap, and everything else that a message takes
  const seen = isObject(doc.value) ? { text: doc.text, value: { ...doc.value, max_tokens: 1 } } : doc;
  return { ...countReading(readRequest(seen, bytes)), doc };
}

function readReply(doc: JsonText, reading?: Reading): ReplyReading {
  if (reading?.members) return readBatchReply(doc);
  return reading?.bound.free ? countReply(doc, 'input_tokens', markOf('assistant', '')) : readMessage(doc, reading);
}

/** Anthropic's Messages API, with counting and batches: https://platform.claude.com/docs/en/api/messages */
export const anthropicMessages: Dialect = {
  name: 'anthropic-messages',
  claims: claimsRoute,
  follow: followRoute,
  readStatus,
  results,
  upstreamPath: routePath,
  credentialHeaders: ['x-api-key', 'authorization'],
  read: (doc, bytes, _headers, path) => read(doc, bytes, path),
  readReply,
  editReply,
  openStream: (reading) => new MessageStreamReader(reading),
  error: errorBody,
  errorEvents,
  keepAlive,
};
