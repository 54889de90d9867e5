import { Fault } from '../../domain/fault.ts';
import type { CallId } from '../../domain/scalars.ts';
import type { Account } from '../../ports/ledger.ts';
import { countable } from './amounts.ts';
import * as lua from './lease-scripts.ts';
import { type TenantBook, windowEnd } from './tenant-book.ts';

const AT_ONCE = 1_000;

/** What is to be leased of an account. */
export interface LeaseWanted {
  readonly id: CallId;
  readonly account: Account;
  /** nano-dollars that the lease is to hold, and the least that is worth the question */
  readonly amount: bigint;
  readonly least: bigint;
  /** what calls made of it */
  readonly used: bigint;
  /** it has room for at most one part in so many of what is left */
  readonly share: number;
  readonly lapsesAt: number;
}

/** An account as a lease was taken: what was spent and held before. `leased`: it holds `amount` now; else it holds what it did. */
export interface Taken {
  readonly leased: boolean;
  readonly amount: bigint;
  readonly spent: bigint;
  readonly held: bigint;
}

/** What became of a lease: `full` where the account could not count more. */
export type Fitted = 'open' | 'lapsed' | 'settled' | 'released' | 'unknown' | 'full';

/** A call on its way out of its leases, as it was when it was sent. */
export interface Leaving {
  readonly id: CallId;
  readonly accounts: readonly Account[];
  /** in the order of the accounts */
  readonly leases: readonly string[];
  readonly state: 'open' | 'settled' | 'released' | 'lapsed';
  readonly held: bigint;
  readonly charged: bigint;
  /** its part of each lease */
  readonly weight: bigint;
  readonly lapsesAt: number;
}

/** The leases of one tenant's accounts: each verb is one script over keys of one slot, one question. Throws Unreachable and Faults. */
export class LeaseBook {
  readonly #book: TenantBook;

  constructor(book: TenantBook) {
    this.#book = book;
  }

  get tenant(): string {
    return this.#book.place.tenant;
  }

  /** Takes a lease or enlarges it. */
  async take({ id, account, amount, least, used, share, lapsesAt }: LeaseWanted): Promise<Taken> {
    const { place, gateway } = this.#book;
    const keys = [place.hold(id), place.account(account.id), place.lessees(account.id)];
    const end = windowEnd(account.resetsAt);
    const terms = [JSON.stringify([account.id]), gateway, `${countable(account.limit)}`, end, share, `${used}`];
    const args = [id, `${amount}`, `${least}`, this.#book.fromNow('lapsesAt', lapsesAt), ...terms];
    const [is, has, spent, held] = (await this.#book.run(lua.TAKE, keys, args)) as [string, string, string, string];
    return { leased: is === 'leased', amount: BigInt(has), spent: BigInt(spent), held: BigInt(held) };
  }

  /** Makes the lease hold `amount`: less, or where `grow` more, whatever the limit says. */
  async fit(id: CallId, account: Account, amount: bigint, lapsesAt: number, grow: boolean): Promise<Fitted> {
    const { place, gateway } = this.#book;
    const until = this.#book.fromNow('lapsesAt', lapsesAt);
    const rest = [JSON.stringify([account.id]), gateway, windowEnd(account.resetsAt), grow ? 'grow' : ''];
    const keys = [place.hold(id), place.account(account.id)];
    const [is] = (await this.#book.run(lua.FIT, keys, [id, `${amount}`, until, ...rest])) as [Fitted];
    return is;
  }

  /** Charges a lease that is over, once; one that Redis lost is charged on its account. */
  async settle(id: CallId, account: Account, amount: bigint): Promise<void> {
    await this.#book.settle(id, amount, undefined, [account]);
  }

  /**
   * Gives a call a hold of its own in place of its parts of leases. Returns for each account whether its lease gave the part; undefined where
   * the call has a hold of its own already.
   */
  async move(call: Leaving): Promise<readonly boolean[] | undefined> {
    const { place, gateway } = this.#book;
    const { id, accounts, leases, state, held, charged, weight } = call;
    const ids = JSON.stringify(accounts.map((account) => account.id));
    const ends = JSON.stringify(accounts.map(({ resetsAt }) => windowEnd(resetsAt)));
    const amounts = [`${held}`, `${charged}`, `${weight}`, this.#book.fromNow('lapsesAt', call.lapsesAt)];
    const args = [id, state, ...amounts, ids, JSON.stringify(leases), gateway, ends];
    const reply = await this.#book.run(lua.MOVE, [place.hold(id)], args);
    const [is, gave] = reply as ['known'] | ['full', string] | ['moved', number[]];
    if (is === 'full')
      throw new Fault('TG_LEDGER_UNAVAILABLE', `\`${gave}\` could not count the hold of call \`${id}\``);
    return is === 'known' ? undefined : gave?.map((one) => one === 1);
  }

  /** The gateways that lease one of these accounts. */
  async lessees(accounts: readonly string[]): Promise<ReadonlySet<string>> {
    const keys = accounts.map((id) => this.#book.place.lessees(id));
    return new Set((await this.#book.run(lua.LESSEES, keys, [])) as string[]);
  }

  /** This gateway leases nothing of the account any more. */
  async withdraw(account: string): Promise<void> {
    await this.#book.run(lua.WITHDRAW, [this.#book.place.lessees(account)], [this.#book.gateway]);
  }

  /** Those of the calls that have, or had, a hold of their own. */
  async ownHolds(calls: readonly CallId[]): Promise<ReadonlySet<CallId>> {
    const found = new Set<CallId>();
    for (let i = 0; i < calls.length; i += AT_ONCE) {
      const some = calls.slice(i, i + AT_ONCE);
      const reply = (await this.#book.run(lua.OWN_HOLDS, [this.#book.place.leases], some)) as number[];
      some.forEach((id, n) => {
        if (reply[n] === 1) found.add(id);
      });
    }
    return found;
  }
}
