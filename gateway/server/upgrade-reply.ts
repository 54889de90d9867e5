import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { CLOSING, type Reply } from '../pipeline/reply.ts';

/** The way back over a connection that asked to become something else. */
export interface UpgradeReply extends Reply {
  /** It became a socket: what was here is no longer responsible for it. */
  taken(): void;
  /** The gate closes: `gone` says so, and the connection is broken off. */
  close(): void;
}

/** Answers an upgrade with plain HTTP; the connection ends with the answer. */
export function upgradeReply(socket: Duplex): UpgradeReply {
  const gone = new AbortController();
  let started = false;
  let taken = false;
  const leave = (): void => {
    if (!taken) gone.abort();
  };
  socket.once('close', leave);
  socket.on('error', leave);
  return {
    gone: gone.signal,
    get started() {
      return started;
    },
    head(status, headers) {
      if (started || taken) return;
      started = true;
      const lines = Object.entries({ ...headers, connection: 'close' }).flatMap(([name, value]) =>
        (typeof value === 'string' ? [value] : value).map((one) => `${name}: ${one}\r\n`),
      );
      const version = status === 426 ? 'sec-websocket-version: 13\r\n' : '';
      socket.write(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}${version}\r\n`);
    },
    write(bytes) {
      if (socket.destroyed || socket.write(bytes)) return undefined;
      return new Promise((resolve) => {
        socket.once('drain', resolve);
        gone.signal.addEventListener('abort', () => resolve(), { once: true });
      });
    },
    end(bytes) {
      if (socket.destroyed) return;
      if (bytes) socket.end(bytes);
      else socket.end();
    },
    cut: () => void socket.destroy(),
    taken() {
      taken = true;
      socket.off('close', leave);
    },
    close() {
      if (taken) return;
      gone.abort(CLOSING);
      socket.destroy();
    },
  };
}
