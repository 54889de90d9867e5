import type { Dispatcher } from 'undici';

/** Bytes held for a reader that does not ask before reading from the socket stops. */
const HIGH_WATER = 64 * 1024;

interface Waiter {
  resolve(result: IteratorResult<Uint8Array>): void;
  reject(error: unknown): void;
}

/**
 * The body of one reply, for one reader. Beyond 64 KB that nobody asked for, reading from the socket stops; leaving the loop
 * early aborts the request. Chunks that came before a break are delivered before the break is thrown.
 */
export class ReplyBody implements AsyncIterableIterator<Uint8Array, undefined> {
  readonly #controller: Dispatcher.DispatchController;
  #chunks: Uint8Array[] = [];
  #held = 0;
  #ending: { readonly error?: unknown } | undefined;
  #waiter: Waiter | undefined;

  constructor(controller: Dispatcher.DispatchController) {
    this.#controller = controller;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  push(chunk: Uint8Array): void {
    if (this.#ending !== undefined) return;
    const waiter = this.#take();
    if (waiter !== undefined) {
      waiter.resolve({ done: false, value: chunk });
      return;
    }
    this.#chunks.push(chunk);
    this.#held += chunk.byteLength;
    if (this.#held >= HIGH_WATER) this.#controller.pause();
  }

  end(): void {
    if (this.#ending !== undefined) return;
    this.#ending = {};
    this.#take()?.resolve({ done: true, value: undefined });
  }

  /** `dropHeld`: the reader gave up, what it has not read is of no use to it */
  fail(error: unknown, dropHeld = false): void {
    if (this.#ending !== undefined) return;
    if (dropHeld) this.#drop();
    this.#ending = { error };
    this.#take()?.reject(error);
  }

  next(): Promise<IteratorResult<Uint8Array, undefined>> {
    const chunk = this.#chunks.shift();
    if (chunk !== undefined) {
      this.#held -= chunk.byteLength;
      if (this.#held === 0 && this.#controller.paused) this.#controller.resume();
      return Promise.resolve({ done: false, value: chunk });
    }
    if (this.#ending !== undefined) {
      const { error } = this.#ending;
      this.#ending = {};
      return error === undefined ? Promise.resolve({ done: true, value: undefined }) : Promise.reject(error);
    }
    if (this.#waiter !== undefined) return Promise.reject(new TypeError('a reply body has one reader'));
    return new Promise((resolve, reject) => {
      this.#waiter = { resolve, reject };
    });
  }

  return(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.#drop();
    if (this.#ending === undefined) {
      this.end();
      this.#controller.abort(new Error('the reader of this reply left'));
    }
    return Promise.resolve({ done: true, value: undefined });
  }

  #take(): Waiter | undefined {
    const waiter = this.#waiter;
    this.#waiter = undefined;
    return waiter;
  }

  #drop(): void {
    this.#chunks = [];
    this.#held = 0;
  }
}
