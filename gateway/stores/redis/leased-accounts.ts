import type { Account, Balance } from '../../ports/ledger.ts';
import { LeaseBook } from './lease-book.ts';
import { LeasedAccount, type LeaseParts } from './leased-account.ts';
import { tightestLimits } from './tenant-book.ts';
import type { Tenants } from './tenants.ts';

const MOST_ACCOUNTS = 20_000;

/** The accounts that this gateway leases, or may soon. */
export class LeasedAccounts {
  readonly #tenants: Tenants;
  readonly #parts: LeaseParts;
  readonly #accounts = new Map<string, LeasedAccount>();

  constructor(tenants: Tenants, parts: LeaseParts) {
    this.#tenants = tenants;
    this.#parts = parts;
  }

  get(id: string): LeasedAccount | undefined {
    return this.#accounts.get(id);
  }

  all(): readonly LeasedAccount[] {
    return [...this.#accounts.values()];
  }

  of(ids: readonly string[]): readonly LeasedAccount[] {
    return ids.flatMap((id) => this.#accounts.get(id) ?? []);
  }

  /** how many of them Redis still has to be told something of */
  get owing(): number {
    return this.all().filter(({ owes }) => owes).length;
  }

  /** What a call that asked Redis for `amount` heard there, as this gateway sees it. Only calls of one tenant are ever granted out of leases. */
  asked(accounts: readonly Account[], balances: readonly Balance[], amount: bigint): readonly Balance[] {
    const [one, ...more] = this.#tenants.grouped(accounts, ({ id }) => id);
    if (!one || more.length > 0 || this.#parts.terms.ms === 0) return this.seen(balances);
    const unique = new Set(tightestLimits(accounts));
    return balances.map((balance) => {
      const { account } = balance;
      const leased = this.#accounts.get(account.id) ?? new LeasedAccount(account, new LeaseBook(one[0]), this.#parts);
      this.#keep(leased);
      if (unique.has(account)) leased.heard(account, balance, amount);
      return leased.balance(account);
    });
  }

  /** Keeps the account as the latest; where there are too many, the one that was not asked for longest and leases nothing is forgotten. */
  #keep(account: LeasedAccount): void {
    this.#accounts.delete(account.id);
    this.#accounts.set(account.id, account);
    if (this.#accounts.size <= MOST_ACCOUNTS) return;
    for (const [id, { isIdle }] of this.#accounts) {
      if (!isIdle) continue;
      this.#accounts.delete(id);
      return;
    }
  }

  /** What Redis said of accounts, as this gateway sees it: of its leases only what its calls made of them. */
  seen(balances: readonly Balance[]): readonly Balance[] {
    return balances.map((balance) => {
      const leased = this.#accounts.get(balance.account.id);
      leased?.heard(balance.account, balance, undefined);
      return leased?.balance(balance.account) ?? balance;
    });
  }

  /** Ends leases whose time is over. Returns how many there are. */
  look(): number {
    let open = 0;
    for (const [id, account] of this.#accounts) {
      account.look();
      open += account.open;
      if (account.isForgettable) this.#accounts.delete(id);
    }
    return open;
  }

  /** Resolves when nothing is to be said to Redis any more, or it does not answer. */
  async quiet(): Promise<void> {
    for (let owing = Number.POSITIVE_INFINITY, before = owing; ; before = owing) {
      await Promise.all(this.all().map((account) => account.said()));
      owing = this.owing;
      if (owing === 0 || owing >= before) return;
    }
  }
}
