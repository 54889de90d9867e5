import type { CallId } from '../../domain/scalars.ts';
import type { Lease } from './lease.ts';
import type { Leaving } from './lease-book.ts';
import type { LeasedAccount } from './leased-account.ts';
import type { LeasedCall, LeasedCalls } from './leased-calls.ts';
import { inTurn } from './turn.ts';

/**
 * The way of a call out of its leases: Redis gives it a hold of its own in their place, in one step, so that at no moment its money is free
 * or held twice. Asked as often as it takes, and always for the call as it was at the first time.
 */
export class WayOut {
  readonly #calls: LeasedCalls;
  readonly #onLeft: (call: LeasedCall, as: Leaving) => Promise<void>;
  readonly #going = new Map<CallId, Promise<void>>();

  /** `onLeft`: the call has a hold of its own, as it was then; what became of it since is still to be said */
  constructor(calls: LeasedCalls, onLeft: (call: LeasedCall, as: Leaving) => Promise<void>) {
    this.#calls = calls;
    this.#onLeft = onLeft;
  }

  /** Throws Unreachable; then the call is still part of its leases as far as anybody knows. */
  take(call: LeasedCall): Promise<void> {
    const going = this.#going.get(call.id) ?? this.#leave(call).finally(() => this.#going.delete(call.id));
    this.#going.set(call.id, going);
    return going;
  }

  async #leave(call: LeasedCall): Promise<void> {
    const { id, places, accounts } = call;
    const turn = places.map(([account]) => account.turn);
    const left = await inTurn(turn, async () => {
      if (this.#calls.get(id) !== call) return undefined;
      const { state, held, charged, weight, lapsesAt } = call;
      call.leaving ??= {
        id,
        accounts,
        leases: places.map(([, lease]) => lease.id),
        state,
        held,
        charged,
        weight,
        lapsesAt,
      };
      const { leaving } = call;
      const gave = await places[0]?.[0].book.move(leaving);
      this.#calls.left(call);
      for (const [i, [account, lease]] of places.entries()) told(account, lease, leaving, gave?.[i]);
      // what it has to say takes its time, and nobody waits for it here
      return { said: this.#onLeft(call, leaving) };
    });
    await left?.said;
  }
}

/** A lease gave a call its part; `gave` undefined: at an earlier time of asking. */
function told(account: LeasedAccount, lease: Lease, { state, held, charged, weight }: Leaving, gave?: boolean): void {
  if (gave !== false) lease.amount -= weight;
  if (gave !== true) lease.stale = true;
  account.alone(charged, state === 'open' ? held : 0n);
  account.poke();
}
