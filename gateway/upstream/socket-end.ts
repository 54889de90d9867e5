import type { WebSocket } from 'ws';
import type { SocketEnd, SocketEnding, SocketMessage } from '../ports/socket.ts';

/** Bytes held for a side that does not read before the other side has to wait. */
const HIGH_WATER = 64 * 1024;
/** A peer that says nothing, not even a pong, for two beats is gone. */
const PING_MS = 30_000;
/** How long a peer may take to answer a goodbye. */
const GOODBYE_MS = 2_000;
/** RFC 6455 section 5.5.1: a close frame has 125 bytes, two of them the code. */
const REASON_BYTES = 123;

const SENDABLE = (code: number): boolean =>
  (code >= 1000 && code <= 1014 && code !== 1004 && code !== 1005 && code !== 1006) || (code >= 3000 && code <= 4999);

/** A reason that fits into a close frame, cut at a whole character. */
function fitting(reason: string): string {
  const bytes = Buffer.from(reason);
  if (bytes.length <= REASON_BYTES) return reason;
  return new TextDecoder().decode(bytes.subarray(0, REASON_BYTES)).replace(/\uFFFD+$/, '');
}

/** An open `ws` socket as a port. Its messages must be asked for at once: what comes before is kept and reading stops. */
export function socketEnd(socket: WebSocket, pingMs = PING_MS): SocketEnd {
  const queue: SocketMessage[] = [];
  let wake: (() => void) | undefined;
  let over = false;
  let leaving = false;
  const closed = new Promise<SocketEnding>((resolve) => {
    socket.once('close', (code, reason) => {
      over = true;
      wake?.();
      resolve({ code, reason: reason.toString() });
    });
  });
  // what went wrong is told by the close that follows
  socket.on('error', () => undefined);
  socket.on('message', (data: Buffer, binary) => {
    if (leaving) return;
    queue.push({ bytes: data, binary });
    socket.pause();
    wake?.();
  });
  watchPulse(socket, pingMs, closed);
  return {
    messages: { [Symbol.asyncIterator]: () => ({ next }) },
    closed,
    send(text) {
      if (socket.readyState !== socket.OPEN) return undefined;
      const written = new Promise<void>((resolve) => socket.send(text, { binary: false }, () => resolve()));
      return socket.bufferedAmount > HIGH_WATER ? Promise.race([written, closed.then(() => undefined)]) : undefined;
    },
    close(code, reason) {
      if (over || leaving) return;
      leaving = true;
      queue.length = 0;
      socket.resume();
      socket.close(SENDABLE(code) ? code : 1011, fitting(reason));
      setTimeout(() => socket.terminate(), GOODBYE_MS).unref();
    },
    cut: () => socket.terminate(),
  };

  async function next(): Promise<IteratorResult<SocketMessage, undefined>> {
    for (;;) {
      const message = queue.shift();
      if (message) return { done: false, value: message };
      if (over) return { done: true, value: undefined };
      await new Promise<void>((resolve) => {
        wake = resolve;
        socket.resume();
      });
      wake = undefined;
    }
  }
}

/** Pings and cuts a peer that has gone without a word. A side that does not read on purpose hears no pong and is not judged by it. */
function watchPulse(socket: WebSocket, ms: number, closed: Promise<unknown>): void {
  let missed = 0;
  const heard = (): void => {
    missed = 0;
  };
  for (const sign of ['message', 'ping', 'pong'] as const) socket.on(sign, heard);
  const timer = setInterval(() => {
    if (socket.isPaused) return;
    missed += 1;
    if (missed > 2) socket.terminate();
    else socket.ping(() => undefined);
  }, ms);
  timer.unref();
  void closed.then(() => clearInterval(timer));
}
