import type { CallId } from '../../domain/scalars.ts';

/** Money that this gateway may spend on its own word while Redis is away. Bounded, counted, off by default. */
export class Allowance {
  readonly #limit: bigint;
  readonly #held = new Map<CallId, bigint>();
  #charged = 0n;

  constructor(limit: bigint) {
    this.#limit = limit;
  }

  /** False where it does not fit. */
  take(id: CallId, amount: bigint): boolean {
    const used = [...this.#held.values()].reduce((sum, held) => sum + held, this.#charged);
    if (this.#limit === 0n || used + amount > this.#limit) return false;
    this.#held.set(id, amount);
    return true;
  }

  has(id: CallId): boolean {
    return this.#held.has(id);
  }

  /** The call came to `amount`. */
  charge(id: CallId, amount: bigint): void {
    if (this.#held.delete(id)) this.#charged += amount;
  }

  /** Redis knows everything that was charged meanwhile. */
  refill(): void {
    this.#charged = 0n;
  }
}
