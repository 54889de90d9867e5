import type { Reply } from '../pipeline/reply.ts';
import type { McpWire } from '../ports/mcp-wire.ts';

/** What the answers of one connection share. */
export interface AnswerStream {
  readonly wire: McpWire;
  /** a message larger than this cannot come: the corridor refuses it before */
  readonly messageBytes: number;
  /** aborted when the connection is over */
  readonly gone: AbortSignal;
  /** sends one whole message on the connection */
  send(message: string): Promise<void> | undefined;
  /** the server named its session */
  opened(session: string): void;
  /** an answer broke off: whoever waits for it would wait for ever */
  broke(): void;
}

/** What became of a request that was answered elsewhere than on its own response. */
export interface Outcome {
  readonly status: number;
  /** the body of a refusal */
  readonly body: string;
}

/** The corridor's way back where answers travel on another connection: a JSON answer or a stream's messages are sent there. */
export class StreamReply implements Reply {
  readonly gone: AbortSignal;
  /** Resolves when it is known how the request fares: with its status, and the whole body where it was refused. */
  readonly outcome: Promise<Outcome>;
  readonly #stream: AnswerStream;
  readonly #events: ReturnType<McpWire['openEvents']>;
  readonly #settle: (outcome: Outcome) => void;
  #status = 0;
  #streamed = false;
  #refusalIsSaid = false;
  #body: Uint8Array[] = [];

  constructor(stream: AnswerStream) {
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    this.outcome = promise;
    this.#settle = resolve;
    this.#stream = stream;
    this.#events = stream.wire.openEvents(stream.messageBytes);
    this.gone = stream.gone;
  }

  get started(): boolean {
    return this.#status !== 0;
  }

  /** The request was accepted before its outcome was known: a refusal goes where answers go. */
  accepted(): void {
    this.#refusalIsSaid = true;
  }

  head(status: number, headers: Readonly<Record<string, string | readonly string[]>>): void {
    if (this.started) return;
    this.#status = status;
    this.#streamed = /^text\/event-stream/i.test(String(headers['content-type'] ?? ''));
    const session = headers['mcp-session-id'];
    if (typeof session === 'string' && status === 200) this.#stream.opened(session);
    if (status < 400) this.#settle({ status, body: '' });
  }

  write(bytes: Uint8Array): Promise<void> | undefined {
    if (!this.#streamed) {
      this.#body.push(bytes);
      return undefined;
    }
    let full: Promise<void> | undefined;
    for (const { data } of this.#events.push(bytes)) if (data) full = this.#stream.send(data) ?? full;
    return full;
  }

  end(bytes?: Uint8Array): void {
    if (bytes) void this.write(bytes);
    const body = Buffer.concat(this.#body).toString('utf8');
    this.#body = [];
    if (this.#status < 400 || this.#refusalIsSaid) {
      if (body !== '') void this.#stream.send(body);
    } else this.#settle({ status: this.#status, body });
  }

  /** The corridor is done with it, whether or not it said anything. */
  finish(): void {
    this.#settle({ status: this.#status, body: '' });
  }

  cut(): void {
    this.#settle({ status: this.#status || 502, body: '' });
    this.#stream.broke();
  }
}
