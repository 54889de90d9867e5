import type { Dialect } from '../ports/dialect.ts';
import { editReply } from './gemini/edit-reply.ts';
import { readRequest } from './gemini/read-request.ts';
import { readReply } from './gemini/reply.ts';
import { claimsPath, upstreamPath } from './gemini/route.ts';
import { errorBody, errorEvents, keepAlive } from './gemini/saying.ts';
import { GeminiStreamReader } from './gemini/stream-reader.ts';

/** Content generation of the Gemini API and of Vertex AI (https://ai.google.dev/api/generate-content). */
export const gemini: Dialect = {
  name: 'gemini',
  claims: (method, path) => method === 'POST' && claimsPath(path),
  upstreamPath,
  credentialHeaders: ['x-goog-api-key', 'authorization'],
  queryCredentials: [
    { parameter: 'key', header: 'x-goog-api-key' },
    { parameter: 'access_token', header: 'authorization', scheme: 'Bearer ' },
    { parameter: 'oauth_token', header: 'authorization', scheme: 'Bearer ' },
  ],
  read: readRequest,
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
