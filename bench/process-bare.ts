// The least a gateway could do: node:http in, undici out, both JSON bodies parsed, nothing decided and nothing kept.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Dispatcher, Pool } from 'undici';
import { answerParent } from './answer-parent.ts';

const pool = new Pool(process.argv[2] as string, { connections: null, pipelining: 1 });

class PassThrough implements Dispatcher.DispatchHandler {
  readonly #response: ServerResponse;
  readonly #chunks: Buffer[] = [];
  #streams = false;

  constructor(response: ServerResponse) {
    this.#response = response;
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
      return;
    }
    const body = this.#chunks.length === 1 ? (this.#chunks[0] as Buffer) : Buffer.concat(this.#chunks);
    JSON.parse(body.toString());
    this.#response.end(body);
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#response.destroy(error);
  }
}

function forward(request: IncomingMessage, response: ServerResponse, body: Buffer): void {
  JSON.parse(body.toString());
  const { host: _host, connection: _hop, 'content-length': _length, ...headers } = request.headers;
  const { method = 'POST', url: path = '/' } = request;
  pool.dispatch({ path, method: method as 'POST', headers, body }, new PassThrough(response));
}

const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () =>
    forward(request, response, chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)),
  );
});
server.listen(0, '127.0.0.1', () => answerParent((server.address() as AddressInfo).port, async () => undefined));
