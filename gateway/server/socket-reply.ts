import type { IncomingMessage, ServerResponse } from 'node:http';
import { CLOSING, type Reply } from '../pipeline/reply.ts';

/** A reply that the door can close. */
export interface SocketReply extends Reply {
  /** The gate closes: `gone` says so, and the connection is broken off. */
  close(): void;
}

/** The way back over one HTTP response. */
class ResponseReply implements SocketReply {
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #gone = new AbortController();
  /** nothing was written yet behind the head */
  #alone = true;

  constructor(request: IncomingMessage, response: ServerResponse) {
    this.#request = request;
    this.#response = response;
    response.on('close', () => {
      if (!response.writableFinished) this.#gone.abort();
    });
    // a write after the peer left is reported here; `gone` has said it already
    response.on('error', () => this.#gone.abort());
  }

  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  get started(): boolean {
    return this.#response.headersSent;
  }

  head(status: number, headers: Readonly<Record<string, string | readonly string[]>>): void {
    const response = this.#response;
    if (response.headersSent || response.destroyed) return;
    response.writeHead(status, headers as Record<string, string | string[]>);
    // a head whose body follows at once leaves in one write with it; one that waits for a stream does not wait longer than this
    if (this.#request.method !== 'HEAD') queueMicrotask(() => this.#flush());
  }

  #flush(): void {
    const response = this.#response;
    if (this.#alone && !response.destroyed && !response.writableEnded) response.flushHeaders();
  }

  write(bytes: Uint8Array): Promise<void> | undefined {
    this.#alone = false;
    const response = this.#response;
    if (response.destroyed || response.write(bytes)) return undefined;
    return drained(response, this.gone);
  }

  end(bytes?: Uint8Array): void {
    const response = this.#response;
    if (response.destroyed) return;
    if (bytes) response.end(bytes);
    else response.end();
  }

  cut(): void {
    this.#response.destroy();
  }

  close(): void {
    if (this.#response.writableFinished) return;
    this.#gone.abort(CLOSING);
    this.#response.destroy();
  }
}

export const socketReply = (request: IncomingMessage, response: ServerResponse): SocketReply =>
  new ResponseReply(request, response);

/** Resolves when the response can take more or its reader has gone. */
function drained(response: ServerResponse, gone: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done);
      gone.removeEventListener('abort', done);
      resolve();
    };
    response.once('drain', done);
    gone.addEventListener('abort', done, { once: true });
    if (gone.aborted) done();
  });
}
