import type { Reply } from '../pipeline/reply.ts';

/** A reply that passes everything on to another; what differs is overridden. */
export class ReplyThrough implements Reply {
  readonly gone: AbortSignal;
  readonly #reply: Reply;

  constructor(reply: Reply, gone = reply.gone) {
    this.#reply = reply;
    this.gone = gone;
  }

  get started(): boolean {
    return this.#reply.started;
  }

  head(status: number, headers: Readonly<Record<string, string | readonly string[]>>): void {
    this.#reply.head(status, headers);
  }

  write(bytes: Uint8Array): Promise<void> | undefined {
    return this.#reply.write(bytes);
  }

  end(bytes?: Uint8Array): void {
    this.#reply.end(bytes);
  }

  cut(): void {
    this.#reply.cut();
  }
}
