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
class PlainReply implements UpgradeReply {
  readonly #socket: Duplex;
  readonly #gone = new AbortController();
  #started = false;
  #taken = false;

  constructor(socket: Duplex) {
    this.#socket = socket;
    socket.once('close', this.#leave);
    socket.on('error', this.#leave);
  }

  readonly #leave = (): void => {
    if (!this.#taken) this.#gone.abort();
  };

  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  get started(): boolean {
    return this.#started;
  }

  head(status: number, headers: Readonly<Record<string, string | readonly string[]>>): void {
    if (this.#started || this.#taken) return;
    this.#started = true;
    const lines = Object.entries({ ...headers, connection: 'close' }).flatMap(([name, value]) =>
      (typeof value === 'string' ? [value] : value).map((one) => `${name}: ${one}\r\n`),
    );
    const version = status === 426 ? 'sec-websocket-version: 13\r\n' : '';
    this.#socket.write(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}${version}\r\n`);
  }

  write(bytes: Uint8Array): Promise<void> | undefined {
    if (this.#socket.destroyed || this.#socket.write(bytes)) return undefined;
    return new Promise((resolve) => {
      this.#socket.once('drain', resolve);
      this.gone.addEventListener('abort', () => resolve(), { once: true });
    });
  }

  end(bytes?: Uint8Array): void {
    if (this.#socket.destroyed) return;
    if (bytes) this.#socket.end(bytes);
    else this.#socket.end();
  }

  cut(): void {
    this.#socket.destroy();
  }

  taken(): void {
    this.#taken = true;
    this.#socket.off('close', this.#leave);
  }

  close(): void {
    if (this.#taken) return;
    this.#gone.abort(CLOSING);
    this.#socket.destroy();
  }
}

export const upgradeReply = (socket: Duplex): UpgradeReply => new PlainReply(socket);
