import { connect, type Socket } from 'node:net';

/** A plain TCP connection to a gate, for what no HTTP client would send. */
export interface RawConnection {
  readonly socket: Socket;
  /** everything received so far */
  text(): string;
  /** waits until what was received matches; throws with it after twenty seconds or at the end of the connection */
  until(pattern: RegExp): Promise<string>;
  readonly closed: Promise<void>;
}

export function rawConnection(url: string): RawConnection {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  let received = '';
  let ended = false;
  socket.on('data', (chunk: Buffer) => {
    received += chunk.toString('latin1');
  });
  // a reset is an end like any other here
  socket.on('error', () => socket.destroy());
  const closed = new Promise<void>((resolve) => {
    socket.on('close', () => {
      ended = true;
      resolve();
    });
  });
  return {
    socket,
    text: () => received,
    closed,
    async until(pattern) {
      for (let i = 0; i < 2_000; i += 1) {
        if (pattern.test(received)) return received;
        if (ended) break;
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      throw new Error(`${pattern} did not come; received: ${received.slice(0, 500)}`);
    },
  };
}

export function post(path: string, body: string, headers: Readonly<Record<string, string>> = {}): string {
  const lines = Object.entries({
    host: 'gate',
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(body)),
    ...headers,
  });
  return `POST ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`;
}
