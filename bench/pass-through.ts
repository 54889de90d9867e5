import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Dispatcher, Pool } from 'undici';
import { answerParent } from './answer-parent.ts';

/** What a way to the provider does beside passing bodies on. */
export interface Errands {
  /** called with the parsed body before anything is sent; the call waits */
  readonly before: (body: unknown) => Promise<void>;
  /** called with the parsed answer, undefined for a stream, once the caller has it */
  readonly after: (answer: unknown) => void;
}

class PassThrough implements Dispatcher.DispatchHandler {
  readonly #response: ServerResponse;
  readonly #after: Errands['after'] | undefined;
  readonly #chunks: Buffer[] = [];
  #streams = false;

  constructor(response: ServerResponse, after: Errands['after'] | undefined) {
    this.#response = response;
    this.#after = after;
  }

  onRequestStart(): void {}

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    this.#streams = String(headers['content-type']).startsWith('text/event-stream');
    const { connection: _hop, 'keep-alive': _keep, 'transfer-encoding': _coding, ...rest } = headers;
    this.#response.writeHead(status, rest);
    if (this.#streams) this.#response.flushHeaders();
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#streams) this.#response.write(chunk);
    else this.#chunks.push(chunk);
  }

  onResponseEnd(): void {
    if (this.#streams) {
      this.#response.end();
      this.#after?.(undefined);
      return;
    }
    const body = this.#chunks.length === 1 ? (this.#chunks[0] as Buffer) : Buffer.concat(this.#chunks);
    const answer: unknown = JSON.parse(body.toString());
    this.#response.end(body);
    this.#after?.(answer);
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#response.destroy(error);
  }
}

/** Starts a process of the bench: node:http in, undici out to `upstream`, both JSON bodies parsed, and the errands, if any. */
export function startPassThrough(upstream: string, errands?: Errands): void {
  const pool = new Pool(upstream, { connections: null, pipelining: 1 });
  const forward = (request: IncomingMessage, response: ServerResponse, body: Buffer): void => {
    const { host: _host, connection: _hop, 'content-length': _length, ...headers } = request.headers;
    const { method = 'POST', url: path = '/' } = request;
    pool.dispatch({ path, method: method as 'POST', headers, body }, new PassThrough(response, errands?.after));
  };
  const take = (request: IncomingMessage, response: ServerResponse, body: Buffer): void => {
    const parsed: unknown = JSON.parse(body.toString());
    if (errands === undefined) {
      forward(request, response, body);
      return;
    }
    errands.before(parsed).then(
      () => forward(request, response, body),
      (error: Error) => response.destroy(error),
    );
  };
  const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () =>
      take(request, response, chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)),
    );
  });
  server.listen(0, '127.0.0.1', () => answerParent((server.address() as AddressInfo).port, async () => undefined));
}
