import type { JsonText } from '../domain/json.ts';
import type { Dialect, Headers, Reading, ReplyReading } from '../ports/dialect.ts';
import { countReply } from './_shared/token-count.ts';
import { cachePath, claimsCache, followCache, isCache, readCache, readKept } from './gemini/cached-contents.ts';
import { readCount } from './gemini/count.ts';
import { editReply } from './gemini/edit-reply.ts';
import { claimsEmbedding, readEmbedding, readVectors } from './gemini/embeddings.ts';
import { modelMark } from './gemini/mark.ts';
import { readRequest } from './gemini/read-request.ts';
import { readReply as readContent } from './gemini/reply.ts';
import { claimsPath, upstreamPath } from './gemini/route.ts';
import { errorBody, errorEvents, keepAlive } from './gemini/saying.ts';
import { GeminiStreamReader } from './gemini/stream-reader.ts';

function read(doc: JsonText, bytes: number, headers: Headers, path?: string): Reading {
  const place = path?.split('?')[0] ?? '';
  if (/\/cachedContents(?:\/|$)/.test(place)) return readCache(doc, bytes, headers, path);
  if (/(?:embedContent|batchEmbedContents)$/.test(place)) return readEmbedding(doc, bytes, headers, path);
  return /countTokens$/.test(place) ? readCount(doc, bytes, headers, path) : readRequest(doc, bytes, headers, path);
}

function readReply(doc: JsonText, reading?: Reading): ReplyReading {
  if (reading?.bound.free) return countReply(doc, 'totalTokens', modelMark('', []));
  if (reading?.bound.storedHours !== undefined) return readKept(doc, reading);
  return reading?.bound.outputCap === 0 ? readVectors(doc, reading) : readContent(doc, reading);
}

/** The Gemini API and Vertex AI: generating (https://ai.google.dev/api/generate-content), counting, embedding, and content kept in caches. */
export const gemini: Dialect = {
  name: 'gemini',
  claims: (method, path) =>
    claimsCache(method, path) || (method === 'POST' && (claimsPath(path) || claimsEmbedding(path))),
  follow: followCache,
  upstreamPath: (path) => (isCache(path) ? cachePath(path) : upstreamPath(path)),
  credentialHeaders: ['x-goog-api-key', 'authorization'],
  queryCredentials: [
    { parameter: 'key', header: 'x-goog-api-key' },
    { parameter: 'access_token', header: 'authorization', scheme: 'Bearer ' },
    { parameter: 'oauth_token', header: 'authorization', scheme: 'Bearer ' },
  ],
  read,
  // without `alt=sse` a stream is one JSON array
  isStream: (contentType, { stream }) =>
    contentType.startsWith('text/event-stream') || (stream && contentType.startsWith('application/json')),
  readReply,
  editReply,
  openStream: (reading) => new GeminiStreamReader(reading),
  error: errorBody,
  errorEvents,
  keepAlive,
};
