import { connect } from 'node:net';
import { WebSocket } from 'ws';
import type { Event } from './socket-upstream.ts';

/** A raw client: every message as it came. */
export interface RawClient {
  readonly socket: WebSocket;
  readonly heard: string[];
  readonly events: Event[];
  /** resolves with the next event of that type that was not asked for before */
  next(type: string): Promise<Event>;
  say(event: Event | string | Uint8Array): void;
  readonly closed: Promise<{ code: number; reason: string; at: number }>;
}

/** Opens a socket; rejects with the status and body of a refusal. */
export function openClient(
  url: string,
  headers: Record<string, string> = {},
  protocols: readonly string[] = [],
): Promise<RawClient> {
  const socket = new WebSocket(url.replace(/^http/, 'ws'), [...protocols], { headers, perMessageDeflate: false });
  const heard: string[] = [];
  const events: Event[] = [];
  const unread: Event[] = [];
  const waiting: { type: string; resolve: (event: Event) => void }[] = [];
  socket.on('message', (data: Buffer) => {
    heard.push(data.toString());
    const event = JSON.parse(data.toString()) as Event;
    events.push(event);
    const at = waiting.findIndex(({ type }) => type === event.type);
    if (at === -1) unread.push(event);
    else waiting.splice(at, 1)[0]?.resolve(event);
  });
  const closed = new Promise<{ code: number; reason: string; at: number }>((resolve) => {
    socket.on('close', (code, reason) => resolve({ code, reason: reason.toString(), at: performance.now() }));
  });
  socket.on('error', () => undefined);
  return new Promise((resolve, reject) => {
    socket.on('unexpected-response', (_request, response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => {
        body += chunk.toString();
      });
      response.on('end', () => reject(new Refused(response.statusCode ?? 0, response.headers, body)));
    });
    socket.on('open', () =>
      resolve({
        socket,
        heard,
        events,
        closed,
        next: (type) =>
          new Promise((found) => {
            const at = unread.findIndex((event) => event.type === type);
            if (at === -1) waiting.push({ type, resolve: found });
            else found(unread.splice(at, 1)[0] as Event);
          }),
        say: (event) =>
          socket.send(typeof event === 'string' || event instanceof Uint8Array ? event : JSON.stringify(event)),
      }),
    );
  });
}

/** An upgrade that was answered otherwise. */
class Refused extends Error {
  readonly status: number;
  readonly headers: Record<string, unknown>;
  readonly body: { error: { code: string; message: string; type: string; rule?: string } };

  constructor(status: number, headers: Record<string, unknown>, body: string) {
    super(`refused with ${status}: ${body}`);
    this.status = status;
    this.headers = headers;
    this.body = JSON.parse(body) as Refused['body'];
  }
}

/** Options for SDK clients that insist on `wss:`: the TLS that a load balancer would end is left out. */
export const plainText = (gateUrl: string) => ({
  createConnection: () => connect(Number(new URL(gateUrl).port), '127.0.0.1'),
});
