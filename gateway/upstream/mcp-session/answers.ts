import type { McpAnswer } from '../../ports/mcp-server.ts';
import type { EventStream } from './event-stream.ts';
import { errorCode, errorText, readMessage } from './rpc-message.ts';

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void> {
  if (bytes.length > 0) yield bytes;
}

/** An answer without a body. */
export const emptyAnswer = (status: number, headers: Record<string, string> = {}): McpAnswer => ({
  status,
  headers,
  body: once(new Uint8Array(0)),
});

/** A refusal of our own in the place of the server's. */
export const errorAnswer = (status: number, code: number, message: string, id = 'null'): McpAnswer => ({
  status,
  headers: { 'content-type': 'application/json' },
  body: once(Buffer.from(errorText(id, code, message))),
});

/** The status that a server over HTTP would have answered with: 2026-07-28 names 404 and 400 for these codes. */
function statusOf(text: string, era: 'legacy' | 'modern'): number {
  if (era === 'legacy' || !text.includes('"error"')) return 200;
  const code = errorCode(readMessage(Buffer.from(text)));
  if (code === -32601) return 404;
  return code !== undefined && code <= -32020 && code >= -32022 ? 400 : 200;
}

/** The one answer as JSON. */
export function jsonAnswer(text: string, era: 'legacy' | 'modern', headers: Record<string, string> = {}): McpAnswer {
  return {
    status: statusOf(text, era),
    headers: { 'content-type': 'application/json', ...headers },
    body: once(Buffer.from(text)),
  };
}

/** Messages as they come. */
export function streamAnswer(
  stream: EventStream,
  signal: AbortSignal,
  options: { readonly after: number; readonly prime: boolean; readonly headers?: Record<string, string> },
): McpAnswer {
  return {
    status: 200,
    headers: {
      'content-type': 'text/event-stream',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
      ...options.headers,
    },
    body: stream.read(signal, options.after, options.prime),
  };
}
