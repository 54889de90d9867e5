import type { CallId, EpochMs } from '../../domain/scalars.ts';
import type { Account } from '../../ports/ledger.ts';
import type { Lease } from './lease.ts';
import type { Leaving } from './lease-book.ts';
import type { LeasedAccount } from './leased-account.ts';

const REMEMBERED = 10_000;

/** A call that was granted from leases, one for each of its accounts. */
export interface LeasedCall {
  readonly id: CallId;
  readonly accounts: readonly Account[];
  readonly places: readonly (readonly [LeasedAccount, Lease])[];
  held: bigint;
  charged: bigint;
  state: Leaving['state'];
  lapsesAt: EpochMs;
  /** its part of each lease: never less than what the record could still say it came to */
  weight: bigint;
  /** its receipt is in the record */
  sealed: boolean;
  /** as it was when Redis was first asked to take it out of its leases */
  leaving: Leaving | undefined;
}

/** What a call came to that left its leases by being over. */
interface Over {
  readonly state: 'settled' | 'released';
  readonly accounts: readonly Account[];
  readonly held: bigint;
  readonly charged: bigint;
}

/** The calls of this process that are part of leases, and those that lately were. No question is asked here. */
export class LeasedCalls {
  readonly #calls = new Map<CallId, LeasedCall>();
  /** oldest first */
  readonly #over = new Map<CallId, Over>();
  readonly #isRecorded: boolean;

  /** `isRecorded`: calls are part of their leases until `sealed` says that their receipt is in the record */
  constructor(isRecorded: boolean) {
    this.#isRecorded = isRecorded;
  }

  get(id: CallId): LeasedCall | undefined {
    return this.#calls.get(id);
  }

  over(id: CallId): Over | undefined {
    return this.#over.get(id);
  }

  all(): IterableIterator<LeasedCall> {
    return this.#calls.values();
  }

  /** The calls that are part of one of these leases. */
  partsOf(leases: readonly Lease[]): readonly LeasedCall[] {
    return leases.flatMap(({ calls }) => calls).flatMap((id) => this.#calls.get(id) ?? []);
  }

  /** calls that are over and not yet in the record */
  get unsealed(): number {
    let count = 0;
    for (const { state } of this.#calls.values()) if (state === 'settled' || state === 'released') count += 1;
    return count;
  }

  add(call: LeasedCall): void {
    this.#calls.set(call.id, call);
    weigh(call);
  }

  /** Raises what the call holds; false where a lease has no room for it. */
  raise(call: LeasedCall, amount: bigint): boolean {
    if (amount <= call.held) return true;
    if (call.places.some(([, lease]) => lease.room < amount - call.held)) return false;
    call.held = amount;
    weigh(call);
    return true;
  }

  settle(call: LeasedCall, amount: bigint): void {
    call.state = 'settled';
    call.charged = amount;
    this.#passed(call);
  }

  release(call: LeasedCall): void {
    call.state = 'released';
    call.held = 0n;
    call.charged = 0n;
    this.#passed(call);
  }

  /** Calls whose time ran out are charged what they hold, until somebody knows better. */
  lapse(now: EpochMs): readonly LeasedCall[] {
    const due = [...this.#calls.values()].filter(({ state, lapsesAt }) => state === 'open' && lapsesAt <= now);
    for (const call of due) {
      call.state = 'lapsed';
      call.charged = call.held;
      weigh(call);
    }
    return due;
  }

  /** The receipt is in the record. */
  sealed(call: LeasedCall): void {
    call.sealed = true;
    if (call.state === 'settled' || call.state === 'released') this.#end(call);
  }

  /** The call has a hold of its own now. */
  left(call: LeasedCall): void {
    for (const [, lease] of call.places) lease.leave(call.id);
    this.#calls.delete(call.id);
  }

  /** What was known of a call that is over is known elsewhere now. */
  forget(id: CallId): void {
    this.#over.delete(id);
  }

  #passed(call: LeasedCall): void {
    weigh(call);
    if (!this.#isRecorded || call.sealed) this.#end(call);
    for (const [account, lease] of call.places) if (lease.room < 0n) account.poke();
  }

  #end(call: LeasedCall): void {
    // on its way out: who takes it out says the rest
    if (call.leaving) return;
    const { id, accounts, state, held, charged } = call;
    for (const [account, lease] of call.places) {
      lease.end(id);
      if (lease.closedAt !== undefined) account.poke();
    }
    this.#calls.delete(id);
    this.#over.set(id, { state: state === 'released' ? 'released' : 'settled', accounts, held, charged });
    if (this.#over.size > REMEMBERED) this.#over.delete(this.#over.keys().next().value as CallId);
  }
}

function weigh(call: LeasedCall): void {
  const { state, held, charged } = call;
  for (const amount of [held, charged]) if (amount > call.weight) call.weight = amount;
  const part = { weight: call.weight, held: state === 'open' ? held : 0n, charged, over: state !== 'open' };
  for (const [, lease] of call.places) lease.put(call.id, part);
}
