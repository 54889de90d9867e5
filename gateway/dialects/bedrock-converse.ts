import type { Dialect } from '../ports/dialect.ts';
import { errorBody, exceptionMessage, noKeepAlive } from './_shared/bedrock-saying.ts';
import { readRequest } from './bedrock-converse/read-request.ts';
import { editReply, readReply } from './bedrock-converse/reply.ts';
import { ConverseStreamReader } from './bedrock-converse/stream-reader.ts';

const PATH = /^\/model\/[^/]+\/(?:converse|converse-stream)$/;

/** Bedrock's Converse and ConverseStream (https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html). */
export const bedrockConverse: Dialect = {
  name: 'bedrock-converse',
  claims: (method, path) => method === 'POST' && PATH.test(path),
  upstreamPath: (path) => path,
  credentialHeaders: ['authorization', 'x-amz-date', 'x-amz-security-token', 'x-amz-content-sha256'],
  read: (doc, bytes, _headers, path) => readRequest(doc, bytes, path),
  isStream: (contentType) => contentType.startsWith('application/vnd.amazon.eventstream'),
  readReply,
  editReply,
  openStream: (reading) => new ConverseStreamReader(reading),
  error: errorBody,
  errorEvents: exceptionMessage,
  keepAlive: noKeepAlive,
};
