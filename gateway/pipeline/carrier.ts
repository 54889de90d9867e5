import type { Gateway } from './gateway.ts';
import { LONGEST_TIMER } from './heartbeat.ts';
import { CLOSING, type Reply } from './reply.ts';

/** The upstream side of a call whose caller may leave: cancels at once or lets it finish for a while, as configured. */
export interface Carrier {
  /** aborts the upstream request */
  readonly signal: AbortSignal;
  readonly callerLeft: boolean;
  abort(): void;
  /** Counts bytes read after the caller left; aborts when there were enough. */
  drained(bytes: number): void;
  close(): void;
}

class OpenCarrier implements Carrier {
  readonly #limits: Gateway['limits'];
  readonly #reply: Reply;
  readonly #controller = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #left: boolean;
  #drained = 0;

  constructor({ limits }: Gateway, reply: Reply) {
    this.#limits = limits;
    this.#reply = reply;
    this.#left = reply.gone.aborted;
    if (this.#left) this.#onGone();
    else reply.gone.addEventListener('abort', this.#onGone, { once: true });
  }

  readonly #onGone = (): void => {
    const { onAbort, drainMs } = this.#limits;
    this.#left = true;
    if (onAbort === 'cancel' || this.#reply.gone.reason === CLOSING) this.abort();
    else this.#timer = setTimeout(() => this.abort(), Math.min(drainMs, LONGEST_TIMER));
  };

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get callerLeft(): boolean {
    return this.#left;
  }

  abort(): void {
    this.#controller.abort();
  }

  drained(bytes: number): void {
    this.#drained += bytes;
    if (this.#drained > this.#limits.drainBytes) this.abort();
  }

  close(): void {
    this.#reply.gone.removeEventListener('abort', this.#onGone);
    clearTimeout(this.#timer);
  }
}

export const openCarrier = (gate: Gateway, reply: Reply): Carrier => new OpenCarrier(gate, reply);
