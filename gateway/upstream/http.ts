import { type Dispatcher, Pool } from 'undici';
import type { Headers } from '../ports/dialect.ts';
import type { Upstream, UpstreamReply, UpstreamRequest } from '../ports/upstream.ts';
import { applyCredential } from './credentials.ts';
import { codingsOf, decodeBody } from './decode-body.ts';
import { forwardReplyHeaders, forwardRequestHeaders } from './headers.ts';
import { ReplyBody } from './reply-body.ts';
import { type Progress, upstreamFault } from './upstream-fault.ts';

const TEN_MINUTES = 10 * 60 * 1000;

export interface UpstreamOptions {
  /** the longest wait for the head of an answer */
  readonly headersTimeoutMs?: number | undefined;
  /** the longest silence inside a body; a body that keeps coming has no limit */
  readonly idleTimeoutMs?: number | undefined;
  readonly connectTimeoutMs?: number | undefined;
  /** how long an unused connection is kept, unless the upstream says otherwise */
  readonly keepAliveMs?: number | undefined;
  /** most connections to one origin; undefined: as many as there are calls */
  readonly connections?: number | undefined;
  readonly allowH2?: boolean | undefined;
}

interface Settle {
  resolve(reply: UpstreamReply): void;
  reject(error: unknown): void;
}

/** One request on its way: waits for the head, then feeds the body. Ends exactly once. */
class Exchange implements Dispatcher.DispatchHandler {
  readonly #host: string;
  readonly #signal: AbortSignal;
  readonly #settle: Settle;
  readonly #onAbort = (): void => this.#abort();
  #progress: Progress = 'waiting';
  #controller: Dispatcher.DispatchController | undefined;
  #body: ReplyBody | undefined;

  constructor(host: string, signal: AbortSignal, settle: Settle) {
    this.#host = host;
    this.#signal = signal;
    this.#settle = settle;
    signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#signal.aborted) controller.abort(new Error('the caller left before the request was sent'));
    else this.#progress = 'sent';
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, headers: Headers): void {
    if (status < 200) return;
    this.#progress = 'answering';
    const body = new ReplyBody(controller);
    try {
      const codings = codingsOf(headers['content-encoding']);
      this.#body = body;
      this.#settle.resolve({ status, headers: forwardReplyHeaders(headers), body: decodeBody(codings, body) });
    } catch (error) {
      this.#settle.reject(error);
      controller.abort(new Error('the answer cannot be read'));
    }
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Uint8Array): void {
    this.#body?.push(chunk);
  }

  onResponseEnd(): void {
    this.#release();
    this.#body?.end();
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#release();
    const fault = upstreamFault(error, this.#progress, this.#host);
    if (this.#body === undefined) this.#settle.reject(fault);
    else this.#body.fail(fault);
  }

  #abort(): void {
    this.#release();
    const reason: unknown = this.#signal.reason;
    if (this.#body === undefined) this.#settle.reject(reason);
    else this.#body.fail(reason, true);
    this.#controller?.abort(new Error('the caller left'));
  }

  #release(): void {
    this.#signal.removeEventListener('abort', this.#onAbort);
  }
}

interface Destination {
  readonly pool: Pool;
  readonly host: string;
}

function openDestination(origin: string, options: UpstreamOptions): Destination {
  const { protocol, host } = new URL(origin);
  const pool = new Pool(`${protocol}//${host}`, {
    connections: options.connections ?? null,
    pipelining: 1,
    allowH2: options.allowH2 ?? false,
    headersTimeout: options.headersTimeoutMs ?? TEN_MINUTES,
    bodyTimeout: options.idleTimeoutMs ?? TEN_MINUTES,
    connectTimeout: options.connectTimeoutMs ?? 10_000,
    keepAliveTimeout: options.keepAliveMs ?? 30_000,
  });
  return { pool, host };
}

/**
 * Upstreams over HTTP, one pool of connections per origin. Redirects are not followed. Besides faults, `send` and a body throw
 * the signal's own reason where the caller aborts. A body must be read to its end, left, or aborted. `close` waits for the calls
 * in flight.
 */
export function openUpstream(options: UpstreamOptions = {}): Upstream {
  const destinations = new Map<string, Destination>();
  const destination = (origin: string): Destination => {
    const known = destinations.get(origin);
    if (known !== undefined) return known;
    const opened = openDestination(origin, options);
    destinations.set(origin, opened);
    return opened;
  };
  return {
    send(request: UpstreamRequest): Promise<UpstreamReply> {
      const { pool, host } = destination(request.origin);
      const { path, method, body, signal } = request;
      const headers = applyCredential(forwardRequestHeaders(request.headers, request), request, new Date());
      return new Promise((resolve, reject) => {
        signal.throwIfAborted();
        const exchange = new Exchange(host, signal, { resolve, reject });
        pool.dispatch({ path, method, headers, body: body ?? null }, exchange);
      });
    },
    async close(): Promise<void> {
      await Promise.all([...destinations.values()].map(({ pool }) => pool.close()));
    },
  };
}
