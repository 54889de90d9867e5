import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import { type WebSocket, WebSocketServer } from 'ws';
import { Fault } from '../domain/fault.ts';
import type { Reply } from '../pipeline/reply.ts';
import type { Upgrade } from '../pipeline/socket-exchange.ts';
import type { Headers } from '../ports/dialect.ts';
import type { SocketEnd } from '../ports/socket.ts';
import { overloaded, type Seats } from './seats.ts';
import { type UpgradeReply, upgradeReply } from './upgrade-reply.ts';

export interface UpgradeOptions {
  /** shared with the data door: a WebSocket takes a seat as long as it is open */
  readonly seats: Seats;
  /** carries a WebSocket; resolves when it has ended. Never rejects. */
  readonly carry: (upgrade: Upgrade) => Promise<void>;
  /** says a refusal of the door itself, and records it */
  readonly turnAway: (arrival: Upgrade['arrival'], reply: Reply, fault: Fault) => Promise<void>;
  /** an open socket as the corridor knows it */
  readonly endOf: (socket: WebSocket) => SocketEnd;
  readonly onError: (error: unknown) => void;
}

/** The data door for connections that ask to become WebSockets. */
export interface UpgradeDoor {
  readonly handle: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
  /** Takes no new socket and no new call; idle ones are closed with 1001, busy ones when they are done or after `ms`. */
  drain(ms: number): Promise<void>;
}

export function openUpgradeDoor(options: UpgradeOptions): UpgradeDoor {
  const draining = new AbortController();
  const closing = new AbortController();
  const open = new Map<UpgradeReply, Promise<void>>();
  return {
    handle(request, socket, head) {
      const reply = upgradeReply(socket);
      const leave = options.seats.take();
      const full = leave === undefined;
      const serving = serve(options, { request, socket, head, reply, draining, closing, full }).catch(
        (error: unknown) => {
          reply.cut();
          options.onError(error);
        },
      );
      open.set(
        reply,
        serving.finally(() => {
          open.delete(reply);
          leave?.();
        }),
      );
    },
    async drain(ms) {
      draining.abort();
      const patience = new AbortController();
      const wait = setTimeout(Math.min(ms, 2 ** 31 - 1), undefined, { ref: false, signal: patience.signal }).catch(
        () => undefined,
      );
      await Promise.race([Promise.all(open.values()), wait]);
      patience.abort();
      closing.abort();
      for (const reply of open.keys()) reply.close();
      await Promise.all(open.values());
    },
  };
}

interface Serving {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
  readonly reply: UpgradeReply;
  readonly draining: AbortController;
  readonly closing: AbortController;
  /** all seats are taken */
  readonly full: boolean;
}

async function serve(options: UpgradeOptions, serving: Serving): Promise<void> {
  const { request, reply, draining, closing, full } = serving;
  const arrival = {
    method: request.method ?? 'GET',
    url: request.url ?? '/',
    headers: request.headers as Headers,
    ip: request.socket.remoteAddress ?? '',
  };
  const fault = draining.signal.aborted
    ? new Fault('TG_DRAINING', 'this gate is shutting down; try again')
    : full
      ? overloaded()
      : handshakeFault(request);
  if (fault) return options.turnAway(arrival, reply, fault);
  await options.carry({
    arrival,
    reply,
    accept: (terms) => accept(options, serving, terms),
    draining: draining.signal,
    closing: closing.signal,
  });
}

const KEY = /^[+/0-9A-Za-z]{22}==$/;

/** Why this is no WebSocket handshake (RFC 6455 section 4.2.1); undefined where it is one. */
function handshakeFault({ method, headers }: IncomingMessage): Fault | undefined {
  if (headers.upgrade?.toLowerCase() !== 'websocket')
    return new Fault(
      'TG_UPGRADE_REFUSED',
      `tollgate does not carry an upgrade to \`${(headers.upgrade ?? '').slice(0, 32)}\`, because it cannot meter it; use the HTTP API or a WebSocket`,
    );
  if (method !== 'GET') return new Fault('TG_METHOD', 'a WebSocket is opened with GET');
  if (headers['sec-websocket-version'] !== '13')
    return new Fault(
      'TG_UPGRADE_REQUIRED',
      'this gate speaks version 13 of the WebSocket protocol; send `sec-websocket-version: 13`',
    );
  if (!KEY.test(headers['sec-websocket-key'] ?? ''))
    return new Fault('TG_BAD_REQUEST', 'header `sec-websocket-key` must be 16 bytes in base64');
  return undefined;
}

/** Never compressed: one compressed frame of some kilobytes may hold gigabytes. */
function accept(
  { endOf }: UpgradeOptions,
  { request, socket, head, reply }: Serving,
  { protocol, headers, maxBytes }: Parameters<Upgrade['accept']>[0],
): Promise<SocketEnd> {
  return new Promise((resolve, reject) => {
    const left = (): void => reject(new Error('the caller has gone'));
    if (reply.gone.aborted) return left();
    socket.once('close', left);
    const server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: maxBytes,
      handleProtocols: () => (protocol === '' ? false : protocol),
    });
    server.on('headers', (lines: string[]) => {
      for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
    });
    server.on('wsClientError', reject);
    server.handleUpgrade(request, socket, head, (opened) => {
      socket.off('close', left);
      reply.taken();
      resolve(endOf(opened));
    });
  });
}
