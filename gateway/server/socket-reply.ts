import type { IncomingMessage, ServerResponse } from 'node:http';
import { CLOSING, type Reply } from '../pipeline/reply.ts';

/** A reply that the door can close. */
export interface SocketReply extends Reply {
  /** The gate closes: `gone` says so, and the connection is broken off. */
  close(): void;
}

/** The way back over one HTTP response. */
export function socketReply(request: IncomingMessage, response: ServerResponse): SocketReply {
  const gone = new AbortController();
  response.on('close', () => {
    if (!response.writableFinished) gone.abort();
  });
  // a write after the peer left is reported here; `gone` has said it already
  response.on('error', () => gone.abort());
  let alone = true;
  const flush = (): void => {
    if (alone && !response.destroyed && !response.writableEnded) response.flushHeaders();
  };
  return {
    gone: gone.signal,
    get started() {
      return response.headersSent;
    },
    head(status, headers) {
      if (response.headersSent || response.destroyed) return;
      response.writeHead(status, headers as Record<string, string | string[]>);
      // a head whose body follows at once leaves in one write with it; one that waits for a stream does not wait longer than this
      if (request.method !== 'HEAD') queueMicrotask(flush);
    },
    write(bytes) {
      alone = false;
      if (response.destroyed || response.write(bytes)) return undefined;
      return drained(response, gone.signal);
    },
    end(bytes) {
      if (response.destroyed) return;
      if (bytes) response.end(bytes);
      else response.end();
    },
    cut() {
      response.destroy();
    },
    close() {
      if (response.writableFinished) return;
      gone.abort(CLOSING);
      response.destroy();
    },
  };
}

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
