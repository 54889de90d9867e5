import type { IncomingMessage } from 'node:http';
import { WebSocket } from 'ws';
import { Fault } from '../domain/fault.ts';
import type { Headers } from '../ports/dialect.ts';
import type { SocketAnswer, SocketRequest, UpstreamSockets } from '../ports/socket.ts';
import { applyCredential } from './credentials.ts';
import { forwardReplyHeaders, forwardRequestHeaders } from './headers.ts';
import { socketEnd } from './socket-end.ts';

const THIRTY_SECONDS = 30_000;

/** Fields of the handshake with the caller (RFC 6455 section 11.3); the one with the provider has its own. */
const HANDSHAKE = [
  'sec-websocket-key',
  'sec-websocket-version',
  'sec-websocket-extensions',
  'sec-websocket-protocol',
  'sec-websocket-accept',
];

export interface UpstreamSocketOptions {
  /** the longest wait for the answer to a handshake */
  readonly handshakeTimeoutMs?: number | undefined;
}

/**
 * The way out for WebSockets. Messages are never compressed: one compressed frame of some kilobytes may hold gigabytes. Redirects are
 * not followed.
 */
export function openUpstreamSockets({
  handshakeTimeoutMs = THIRTY_SECONDS,
}: UpstreamSocketOptions = {}): UpstreamSockets {
  return {
    connect: (request) =>
      new Promise<SocketAnswer>((resolve, reject) => {
        request.signal.throwIfAborted();
        const socket = dial(request, handshakeTimeoutMs);
        const onAbort = (): void => {
          reject(request.signal.reason as unknown);
          socket.terminate();
        };
        request.signal.addEventListener('abort', onAbort, { once: true });
        const settled = (): void => request.signal.removeEventListener('abort', onAbort);
        socket.on('error', (error) => {
          settled();
          reject(unreachable(request.origin, error));
        });
        socket.on('unexpected-response', (_request, response: IncomingMessage) => {
          settled();
          const headers = forwardReplyHeaders(response.headers as Headers);
          resolve({ open: undefined, reply: { status: response.statusCode ?? 502, headers, body: response } });
        });
        // INVARIANT: the end listens before the provider's first message can be read
        socket.on('open', () => {
          settled();
          resolve({ open: socketEnd(socket), protocol: socket.protocol });
        });
      }),
  };
}

function dial(request: SocketRequest, handshakeTimeout: number): WebSocket {
  const { origin, path, credential, protocols, maxBytes: maxPayload } = request;
  const drop = [...request.drop, ...HANDSHAKE];
  const signed = { credential, origin, path, method: 'GET', body: undefined };
  const { 'accept-encoding': _, ...headers } = applyCredential(
    forwardRequestHeaders(request.headers, { drop }),
    signed,
    new Date(),
  );
  try {
    return new WebSocket(origin.replace(/^http/, 'ws') + path, [...protocols], {
      headers,
      handshakeTimeout,
      maxPayload,
      perMessageDeflate: false,
      followRedirects: false,
    });
  } catch (error) {
    const text = `the path, a header or a subprotocol of this upgrade cannot be sent to \`${new URL(origin).host}\``;
    throw new Fault('TG_BAD_REQUEST', text, error);
  }
}

function unreachable(origin: string, error: Error & { code?: unknown }): Fault {
  const { host } = new URL(origin);
  const code = typeof error.code === 'string' ? ` (${error.code.toLowerCase()})` : '';
  if (/handshake has timed out/.test(error.message))
    return new Fault('TG_UPSTREAM_TIMEOUT', `\`${host}\` did not answer the upgrade in time`, error);
  return new Fault(
    'TG_UPSTREAM_UNREACHABLE',
    `cannot open a WebSocket at \`${host}\`${code}; it may be tried again`,
    error,
  );
}
