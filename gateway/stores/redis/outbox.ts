import type { CallId } from '../../domain/scalars.ts';
import { Unreachable } from './link.ts';

interface Letter {
  /** the amount a settlement charges; undefined for a release */
  readonly amount: bigint | undefined;
  readonly deliver: () => Promise<void>;
}

const RETRY_MS = 1_000;
const AT_ONCE = 64;

/**
 * What must still be said to Redis about calls that ended while it did not answer: settlements and releases, delivered when it is
 * back. Never more than the calls that were under way. What a crash takes from here the record and `openHolds` give back.
 */
export class Outbox {
  readonly #letters = new Map<CallId, Letter>();
  readonly #undeliverable: (id: CallId, error: unknown) => void;
  #draining: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(undeliverable: (id: CallId, error: unknown) => void) {
    this.#undeliverable = undeliverable;
  }

  get size(): number {
    return this.#letters.size;
  }

  get(id: CallId): Letter | undefined {
    return this.#letters.get(id);
  }

  put(id: CallId, letter: Letter): void {
    this.#letters.set(id, letter);
    this.#later();
  }

  /** Tries to deliver everything; resolves when it is through or Redis does not answer. Never throws. */
  drain(): Promise<void> {
    this.#draining ??= this.#drain().finally(() => {
      this.#draining = undefined;
      if (this.#letters.size > 0) this.#later();
    });
    return this.#draining;
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#letters.clear();
  }

  async #drain(): Promise<void> {
    let answering = true;
    while (answering && this.#letters.size > 0) {
      const some = [...this.#letters].slice(0, AT_ONCE);
      const through = await Promise.all(some.map(([id, letter]) => this.#deliver(id, letter)));
      answering = through.every(Boolean);
    }
  }

  async #deliver(id: CallId, letter: Letter): Promise<boolean> {
    try {
      await letter.deliver();
    } catch (error) {
      if (error instanceof Unreachable) return false;
      this.#undeliverable(id, error);
    }
    this.#letters.delete(id);
    return true;
  }

  #later(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.drain(), RETRY_MS);
    this.#timer.unref();
  }
}
