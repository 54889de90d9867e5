import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';

/** A request as the provider saw it. */
export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A provider on this machine. */
export interface Sim {
  /** `http://127.0.0.1:<port>`, without a path */
  readonly url: string;
  /** every request that arrived whole, oldest first; the newest thousand */
  readonly seen: readonly Seen[];
  /** how many answers the other side broke off */
  readonly aborted: number;
  /** Ends every connection and frees the port. */
  close(): Promise<void>;
}

const MOST_SEEN = 1000;

/** Starts a server on a free loopback port; `answer` gets each request with its body read. A throw in it is a 500. */
export async function startUpstream(
  answer: (seen: Seen, response: ServerResponse) => Promise<void> | void,
): Promise<Sim> {
  const seen: Seen[] = [];
  let aborted = 0;
  const server = createServer((request, response) => {
    response.on('close', () => {
      if (!response.writableFinished && !brokenByUs.has(response)) aborted += 1;
    });
    serve(request, response).catch((error: unknown) => {
      if (response.destroyed) return;
      if (response.headersSent) response.destroy();
      else sendJson(response, 500, { error: { message: error instanceof Error ? error.message : String(error) } });
    });
  });
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await bodyOf(request);
    const one = { method: request.method ?? '', path: request.url ?? '', headers: request.headers, body };
    seen.push(one);
    if (seen.length > MOST_SEEN) seen.shift();
    await answer(one, response);
  };
  const port = await listening(server);
  return {
    url: `http://127.0.0.1:${port}`,
    seen,
    get aborted() {
      return aborted;
    },
    close: () =>
      new Promise((resolve, reject) => {
        server.close((error) => (error ? reject(error) : resolve()));
        server.closeAllConnections();
      }),
  };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

function listening(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
}

const brokenByUs = new WeakSet<ServerResponse>();

/** Breaks the connection behind the last byte written, without the end that the protocol asks for. */
export async function breakOff(response: ServerResponse): Promise<void> {
  brokenByUs.add(response);
  // what was written goes out first: the cut is where it was asked for, not before
  await new Promise<void>((resolve) => response.write('', () => resolve()));
  response.socket?.destroySoon();
}

/** Answers with JSON and, where given, further headers. */
export function sendJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    ...headers,
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
  });
  response.end(text);
}

export interface Pace {
  /** bytes per write; left out: the pieces as they are */
  readonly chunkSize?: number | undefined;
  /** wait between two writes */
  readonly chunkDelayMs?: number | undefined;
}

/** Writes the pieces at the given pace, waiting for a slow reader. Resolves false where the reader left. */
export async function writePaced(
  response: ServerResponse,
  pieces: Iterable<Uint8Array>,
  { chunkSize, chunkDelayMs = 0 }: Pace,
): Promise<boolean> {
  const chunks = chunkSize === undefined ? pieces : rechunk(pieces, chunkSize);
  for (const chunk of chunks) {
    if (response.destroyed) return false;
    if (!response.write(chunk) && !(await drained(response))) return false;
    // a turn of the event loop between writes, or the kernel would join them
    if (chunkDelayMs > 0) await wait(chunkDelayMs);
    else await new Promise((resolve) => setImmediate(resolve));
  }
  return !response.destroyed;
}

/** Cuts pieces, joined, into chunks of exactly `size` bytes and a shorter last one. */
function* rechunk(pieces: Iterable<Uint8Array>, size: number): Generator<Uint8Array> {
  if (!Number.isInteger(size) || size < 1)
    throw new RangeError(`\`chunkSize\` is a whole number from 1, not \`${size}\``);
  const parts: Uint8Array[] = [...pieces];
  const bytes = Buffer.concat(parts);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** Resolves true when more may be written, false when nothing can be any more. */
function drained(response: ServerResponse): Promise<boolean> {
  if (response.destroyed) return Promise.resolve(false);
  return new Promise((resolve) => {
    const done = (open: boolean) => (): void => {
      response.off('drain', onDrain);
      response.off('close', onClose);
      resolve(open);
    };
    const onDrain = done(true);
    const onClose = done(false);
    response.once('drain', onDrain);
    response.once('close', onClose);
  });
}
