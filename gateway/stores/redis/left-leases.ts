import type { CallId, EpochMs, Nano } from '../../domain/scalars.ts';
import { answered } from './answers.ts';
import { isLease, lineOfLease } from './lease.ts';
import { LeaseBook } from './lease-book.ts';
import { unlimited } from './several-tenants.ts';
import type { Tenants } from './tenants.ts';

/** A lease as the record knows it. */
interface RecordedLease {
  readonly id: string;
  /** undefined where no call was granted from it */
  readonly account: string | undefined;
  /** when the last of its calls began */
  readonly at: EpochMs;
  /** what its calls came to, or hold */
  readonly calls: ReadonlyMap<CallId, Nano>;
}

/**
 * Leases of this gateway that a process before this one did not end: Redis holds them, or turned them into charges, and only the record
 * knows what was made of them. Every verb is idempotent. Throws a Fault (`TG_LEDGER_UNAVAILABLE`) where Redis does not answer.
 */
export class LeftLeases {
  readonly #tenants: Tenants;
  readonly #since: () => number;

  /** `since`: what is older may have been folded in Redis */
  constructor(tenants: Tenants, since: () => number) {
    this.#tenants = tenants;
    this.#since = since;
  }

  /** their ids */
  async open(): Promise<readonly string[]> {
    return answered(async () => {
      const found: string[] = [];
      for (const book of await this.#tenants.all()) found.push(...(await book.openHolds()).filter(isLease));
      return found;
    });
  }

  /** The line of the record behind which calls may name the lease. */
  readonly lineOf = lineOfLease;

  /** Charges the lease with what its calls came to, those aside that have a hold of their own. One that Redis lost is charged all the same. */
  async settle({ id, account, at, calls }: RecordedLease): Promise<void> {
    await answered(async () => {
      if (account === undefined) {
        for (const book of await this.#tenants.all()) await book.settle(id as CallId, 0n);
        return;
      }
      for (const [book] of this.#tenants.grouped([account], (name) => name)) {
        await this.#tenants.enter(book);
        const alone = await new LeaseBook(book).ownHolds([...calls.keys()]);
        let sum = 0n;
        for (const [call, amount] of calls) if (!alone.has(call)) sum += amount;
        await book.settle(id as CallId, sum, undefined, at > this.#since() ? [unlimited(account)] : undefined);
      }
    });
  }

  /** Gives a call that goes on a hold of its own in place of its parts of leases. */
  async takeOut(call: {
    readonly id: CallId;
    readonly amount: Nano;
    readonly accounts: readonly string[];
    readonly leases: readonly string[];
    readonly lapsesAt: EpochMs;
  }): Promise<void> {
    const { id, amount, lapsesAt } = call;
    const leases = new Map(call.accounts.map((account, i) => [account, call.leases[i] ?? '']));
    await answered(async () => {
      for (const [book, names] of this.#tenants.grouped([...leases.keys()], (name) => name)) {
        await this.#tenants.enter(book);
        await new LeaseBook(book).move({
          id,
          accounts: names.map(unlimited),
          leases: names.map((name) => leases.get(name) as string),
          state: 'open',
          held: amount,
          charged: 0n,
          weight: amount,
          lapsesAt,
        });
      }
    });
  }
}
