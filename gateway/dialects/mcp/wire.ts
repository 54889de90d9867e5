import { RPC, RpcFault } from '../../domain/rpc-fault.ts';
import type { Headers } from '../../ports/dialect.ts';
import type { McpWire } from '../../ports/mcp-wire.ts';
import { withMarkedId } from '../_shared/sse.ts';
import { answered, brought } from './answered.ts';
import { asked } from './asked.ts';
import { eraOf } from './era.ts';
import { eventWith, keepAlive, messageEvent, openEvents } from './events.ts';
import { checkHeaders, headersFor } from './mirrored-headers.ts';
import { openPassing } from './passing-answer.ts';
import { readMessage, readText } from './read-message.ts';
import { say } from './say.ts';

/** A body is plain JSON: a coding would hide its size, another type another language (mcp-plane.md 3). */
function checkMedia(headers: Headers): void {
  const type = String(headers['content-type'] ?? '').split(';')[0] as string;
  const coding = headers['content-encoding'];
  const refuse = (message: string): never => {
    throw new RpcFault(RPC.invalidRequest, message, { code: 'TG_MEDIA_TYPE' });
  };
  if (type.trim().toLowerCase() !== 'application/json') refuse('header `content-type` must be `application/json`');
  if (coding !== undefined && coding !== 'identity')
    refuse('header `content-encoding` is not accepted here; send the body uncompressed');
}

/** The language of the MCP plane, both eras. */
export const mcpWire: McpWire = {
  read: readMessage,
  reread: readText,
  checkMedia,
  eraOf,
  checkHeaders,
  headersFor,
  asked,
  answered,
  brought,
  say,
  openEvents,
  openPassing,
  withData: eventWith,
  withMarkedId,
  event: messageEvent,
  keepAlive,
};
