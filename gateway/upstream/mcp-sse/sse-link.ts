import { Fault } from '../../domain/fault.ts';
import type { Upstream, UpstreamCredential } from '../../ports/upstream.ts';
import type { Link, LinkEvents } from '../mcp-session/link.ts';
import { EventSplitter } from './event-splitter.ts';

/** How long a server may take to name its endpoint. */
const ENDPOINT_MS = 10_000;

export interface SseLinkOptions {
  readonly name: string;
  readonly url: string;
  readonly upstream: Upstream;
  readonly messageBytes: number;
  /** The gate's own credential. Throws a Fault (`TG_UPSTREAM_AUTH`). */
  readonly credential: () => Promise<UpstreamCredential | undefined>;
}

/** One connection of the transport of 2024-11-05: messages come as events, and go as POSTs to the endpoint that the first event names. */
class SseLink implements Link {
  readonly #options: SseLinkOptions;
  readonly #events: LinkEvents;
  readonly #closing = new AbortController();
  readonly #url: URL;
  #endpoint: URL | undefined;
  #named: ((endpoint: URL | Fault) => void) | undefined;
  #paused: { readonly until: Promise<void>; readonly go: () => void } | undefined;
  #over = false;
  #reading: Promise<void> | undefined;

  constructor(options: SseLinkOptions, events: LinkEvents) {
    this.#options = options;
    this.#events = events;
    this.#url = new URL(options.url);
  }

  get alive(): boolean {
    return !this.#over;
  }

  /** Connects and waits for the endpoint. */
  async open(): Promise<void> {
    const answer = await this.#ask('GET', this.#url, undefined);
    const type = answer.headers['content-type'];
    if (typeof type !== 'string' || !/^text\/event-stream\s*(?:;|$)/i.test(type)) {
      this.#closing.abort();
      throw this.#fault('TG_UPSTREAM_UNREADABLE', 'did not answer with an event stream; is it a server of 2024-11-05?');
    }
    const named = new Promise<URL | Fault>((resolve) => {
      this.#named = resolve;
    });
    const late = setTimeout(
      () =>
        this.#named?.(this.#fault('TG_UPSTREAM_TIMEOUT', `did not name its endpoint within ${ENDPOINT_MS / 1000} s`)),
      ENDPOINT_MS,
    );
    this.#reading = this.#read(answer.body);
    const endpoint = await named;
    clearTimeout(late);
    if (endpoint instanceof Fault) {
      await this.end();
      throw endpoint;
    }
    this.#endpoint = endpoint;
  }

  async send(text: string): Promise<void> {
    const answer = await this.#ask('POST', this.#endpoint as URL, Buffer.from(text, 'utf8'));
    await answer.body[Symbol.asyncIterator]().return?.();
  }

  pause(): void {
    if (this.#paused) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#paused = { until: promise, go: resolve };
  }

  resume(): void {
    this.#paused?.go();
    this.#paused = undefined;
  }

  async end(): Promise<void> {
    this.#over = true;
    this.resume();
    this.#closing.abort(new Error('the session was ended'));
    await this.#reading;
  }

  async #ask(method: 'GET' | 'POST', url: URL, body: Uint8Array | undefined) {
    const { upstream, credential } = this.#options;
    const answer = await upstream.send({
      origin: this.#url.origin,
      path: url.pathname + url.search,
      method,
      headers: body ? { 'content-type': 'application/json' } : { accept: 'text/event-stream' },
      drop: [],
      credential: await credential(),
      body,
      signal: this.#closing.signal,
    });
    if (answer.status >= 200 && answer.status < 300) return answer;
    await answer.body[Symbol.asyncIterator]().return?.();
    if (answer.status === 401 || answer.status === 403)
      throw this.#fault(
        'TG_UPSTREAM_AUTH',
        `refused the gate's own credential (${answer.status}); tell the operator of the gate`,
      );
    throw this.#fault(
      'TG_UPSTREAM_BROKE',
      `answered ${answer.status} to a ${method === 'GET' ? 'connection' : 'message'}`,
    );
  }

  async #read(body: AsyncIterable<Uint8Array>): Promise<void> {
    const splitter = new EventSplitter(this.#options.messageBytes, {
      event: (name, data) => this.#event(name, data),
      tooLong: () => this.#events.tooLong(),
    });
    let how = 'it closed the connection';
    try {
      for await (const chunk of body) {
        splitter.push(chunk);
        if (this.#over) break;
        if (this.#paused) await this.#paused.until;
      }
    } catch (error) {
      how = error instanceof Fault ? error.code : 'the connection was closed';
    }
    this.#over = true;
    this.#named?.(this.#fault('TG_UPSTREAM_BROKE', 'closed the connection before it named its endpoint'));
    this.#events.gone(how);
  }

  #event(name: string, data: string | undefined): void {
    if (name === 'endpoint') return this.#onEndpoint(data ?? '');
    // bytes that are no UTF-8 are refused where messages are read
    if (name === 'message') this.#events.message(data === undefined ? Uint8Array.of(0xff) : Buffer.from(data, 'utf8'));
  }

  /** The endpoint must be of the configured origin: messages, and the credential with them, go nowhere else. */
  #onEndpoint(data: string): void {
    const url = URL.canParse(data, this.#url.href) ? new URL(data, this.#url) : undefined;
    const foreign = url?.origin !== this.#url.origin || url.username !== '' || url.password !== '';
    if (url && !foreign && this.#endpoint === undefined) return this.#named?.(url);
    if (url && !foreign && url.href === this.#endpoint?.href) return;
    const fault = this.#fault(
      'TG_UPSTREAM_UNREADABLE',
      'named an endpoint of another origin; the connection was refused',
    );
    this.#named?.(fault);
    this.#over = true;
    this.#closing.abort(fault);
  }

  #fault(code: ConstructorParameters<typeof Fault>[0], what: string): Fault {
    return new Fault(code, `the MCP server \`${this.#options.name}\` ${what}`);
  }
}

/** Connects one session. Throws a Fault: what the transport throws, `TG_UPSTREAM_AUTH`, or `TG_UPSTREAM_UNREADABLE` for an endpoint of another origin. */
export async function openSseLink(options: SseLinkOptions, events: LinkEvents): Promise<Link> {
  const link = new SseLink(options, events);
  await link.open();
  return link;
}
