import { isObject, type JsonText } from '../domain/json.ts';
import type { Dialect, Headers, Reading } from '../ports/dialect.ts';
import { bedrockModel } from './_shared/bedrock-model.ts';
import { errorBody, exceptionMessage, noKeepAlive } from './_shared/bedrock-saying.ts';
import { anthropicMessages } from './anthropic-messages.ts';
import { regional } from './bedrock-invoke/regional.ts';
import { InvokeStreamReader } from './bedrock-invoke/stream-reader.ts';

/** Only models whose native language is read here: the body of another one would be judged and metered by nobody. */
const PATH =
  /^\/model\/(?:[^/]*(?:%2[fF]))?(?:[a-z-]+\.)?anthropic\.claude[^/%]*(?:%3[aA][0-9a-z]+)?\/(?:invoke|invoke-with-response-stream)$/;

/** The native body is read as messages are; model and stream stand in the path. */
function read(doc: JsonText, bytes: number, headers: Headers, path?: string): Reading {
  const { model, region, operation } = bedrockModel(path);
  const seen = isObject(doc.value) ? { text: doc.text, value: { ...doc.value, model } } : doc;
  const reading = anthropicMessages.read(seen, bytes, headers);
  return { ...reading, doc, stream: operation !== 'invoke', bound: { ...reading.bound, region } };
}

/** Bedrock's InvokeModel and its response stream for Claude (https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModel.html). */
export const bedrockInvoke: Dialect = {
  ...anthropicMessages,
  name: 'bedrock-invoke',
  claims: (method, path) => method === 'POST' && PATH.test(path),
  upstreamPath: (path) => path,
  credentialHeaders: ['authorization', 'x-amz-date', 'x-amz-security-token', 'x-amz-content-sha256'],
  read,
  isStream: (contentType) => contentType.startsWith('application/vnd.amazon.eventstream'),
  readReply(doc, reading) {
    const reply = anthropicMessages.readReply(doc, reading);
    return { ...reply, usage: regional(reply.usage, reading) };
  },
  openStream: (reading) => new InvokeStreamReader(reading),
  error: errorBody,
  errorEvents: exceptionMessage,
  keepAlive: noKeepAlive,
};
