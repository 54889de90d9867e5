import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import { Fault } from '../domain/fault.ts';
import type { Reply } from '../pipeline/reply.ts';
import type { Headers } from '../ports/dialect.ts';
import { readBody } from './read-body.ts';
import { overloaded, type Seats } from './seats.ts';
import { type SocketReply, socketReply } from './socket-reply.ts';
import type { UpgradeDoor } from './upgrade-door.ts';

/** What the door hands on for every request it lets in. */
export interface DoorCall {
  readonly arrival: { readonly method: string; readonly url: string; readonly headers: Headers; readonly ip: string };
  readonly body: Uint8Array;
}

export interface DoorOptions {
  readonly maxRequestBytes: () => number;
  readonly seats: Seats;
  readonly exchange: (call: DoorCall, reply: Reply) => Promise<void>;
  /** says a refusal of the door itself, and records it */
  readonly turnAway: (call: DoorCall, reply: Reply, fault: Fault) => Promise<void>;
  /** hears that the door begins to close */
  readonly onDrain?: (() => void) | undefined;
  /** hears of what the corridor threw; its connection is broken off */
  readonly onError: (error: unknown) => void;
  /** takes connections that ask to become something else */
  readonly upgrades: UpgradeDoor;
}

/** The data door: node:http in front of the corridor. */
export interface DataDoor {
  readonly server: Server;
  /** Refuses new calls, waits for those in flight at most `ms`, then cuts the rest; resolves when every call has ended. */
  drain(ms: number): Promise<void>;
}

export function openDataDoor(options: DoorOptions): DataDoor {
  let draining = false;
  const inFlight = new Map<SocketReply, Promise<void>>();
  const answering = new WeakMap<Duplex, ServerResponse>();
  const server = createServer(
    { keepAliveTimeout: 65_000, requestTimeout: 300_000, headersTimeout: 60_000 },
    (request, response) => {
      if (probe(request, response)) return;
      answering.set(request.socket, response);
      const reply = socketReply(request, response);
      const leave = options.seats.take();
      const refusal = draining ? drainingFault() : leave === undefined ? overloaded() : undefined;
      const call = serve(options, refusal, request, reply).catch((error: unknown) => {
        reply.cut();
        options.onError(error);
      });
      inFlight.set(
        reply,
        call.finally(() => {
          inFlight.delete(reply);
          leave?.();
        }),
      );
    },
  );
  server.on('upgrade', options.upgrades.handle);
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => refuseBytes(error, socket, answering.get(socket)));
  return {
    server,
    async drain(ms) {
      draining = true;
      options.onDrain?.();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      const sockets = options.upgrades.drain(ms);
      if (inFlight.size > 0) {
        const patience = new AbortController();
        const wait = setTimeout(Math.min(ms, 2 ** 31 - 1), undefined, { ref: false, signal: patience.signal }).catch(
          () => undefined,
        );
        await Promise.race([Promise.all(inFlight.values()), wait]);
        patience.abort();
        for (const reply of inFlight.keys()) reply.close();
        await Promise.all(inFlight.values());
      }
      await sockets;
      server.closeAllConnections();
      await closed;
    },
  };
}

/** `HEAD /` is how Claude Code looks whether a gateway is there; `GET /` tells a person where they are. */
function probe(request: IncomingMessage, response: ServerResponse): boolean {
  const path = (request.url ?? '/').split('?')[0];
  if (path !== '/' || (request.method !== 'HEAD' && request.method !== 'GET')) return false;
  const body = '{"service":"tollgate"}\n';
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length });
  response.end(request.method === 'HEAD' ? undefined : body);
  return true;
}

const drainingFault = (): Fault => new Fault('TG_DRAINING', 'this gate is shutting down; try again');

async function serve(
  options: DoorOptions,
  refusal: Fault | undefined,
  request: IncomingMessage,
  reply: Reply,
): Promise<void> {
  const arrival = {
    method: request.method ?? 'GET',
    url: request.url ?? '/',
    headers: request.headers as Headers,
    ip: request.socket.remoteAddress ?? '',
  };
  const empty = new Uint8Array(0);
  if (refusal) return options.turnAway({ arrival, body: empty }, reply, refusal);
  let body: Uint8Array;
  try {
    body = await readBody(request, options.maxRequestBytes());
  } catch (error) {
    const fault =
      error instanceof Fault ? error : new Fault('TG_BAD_REQUEST', 'the request body did not arrive whole', error);
    return options.turnAway({ arrival, body: empty }, reply, fault);
  }
  return options.exchange({ arrival, body }, reply);
}

const BROKEN_REQUESTS: Readonly<Record<string, string>> = {
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: '413 Payload Too Large',
};

/** Bytes that are no HTTP. An answer that is already on its way must not have this one written into it. */
function refuseBytes(error: NodeJS.ErrnoException, socket: Duplex, response: ServerResponse | undefined): void {
  const busy = response?.headersSent === true && !response.writableFinished;
  if (busy || !socket.writable) socket.destroy();
  else
    socket.end(
      `HTTP/1.1 ${BROKEN_REQUESTS[error.code ?? ''] ?? '400 Bad Request'}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`,
    );
}
