import type { CallId } from '../../domain/scalars.ts';

const CLOSED_KEPT = 10_000;

interface Call {
  held: bigint;
  charged: bigint;
  state: 'open' | 'settled' | 'released' | 'lapsed';
  lapsesAt: number;
}

/**
 * Calls on which no budget and no rate applies: nothing is shared, so nothing is asked of Redis, and they pass while it is away. Known to this
 * process only.
 */
export class Unbudgeted {
  readonly #open = new Map<CallId, Call>();
  /** oldest first */
  readonly #closed = new Map<CallId, Call>();

  /** What is held; undefined where the id is spent. */
  reserve(id: CallId, amount: bigint, lapsesAt: number): bigint | undefined {
    if (this.#closed.has(id)) return undefined;
    const known = this.#open.get(id);
    if (known) return known.held;
    this.#open.set(id, { held: amount, charged: 0n, state: 'open', lapsesAt });
    return amount;
  }

  has(id: CallId): boolean {
    return this.#open.has(id) || this.#closed.has(id);
  }

  open(id: CallId): Call | undefined {
    return this.#open.get(id);
  }

  settle(id: CallId, amount: bigint): { readonly charged: bigint; readonly held: bigint } {
    const call = this.#open.get(id) ?? this.#closed.get(id) ?? { held: 0n, charged: 0n, state: 'open', lapsesAt: 0 };
    if (call.state !== 'settled') this.#close(id, call, 'settled', amount);
    return call;
  }

  release(id: CallId): void {
    const call = this.#open.get(id) ?? this.#closed.get(id);
    if (!call || call.state === 'settled') return;
    this.#close(id, call, 'released', 0n);
    call.held = 0n;
  }

  lapse(now: number): readonly { readonly id: CallId; readonly amount: bigint }[] {
    const due = [...this.#open].filter(([, { lapsesAt }]) => lapsesAt <= now);
    for (const [id, call] of due) this.#close(id, call, 'lapsed', call.held);
    return due.map(([id, { held }]) => ({ id, amount: held }));
  }

  #close(id: CallId, call: Call, state: Call['state'], charged: bigint): void {
    call.state = state;
    call.charged = charged;
    this.#open.delete(id);
    this.#closed.set(id, call);
    if (this.#closed.size > CLOSED_KEPT) this.#closed.delete(this.#closed.keys().next().value as CallId);
  }
}
