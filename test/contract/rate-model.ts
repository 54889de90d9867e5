import { RATE_MS } from '../../gateway/domain/budget.ts';
import type { Account, Reservation, SettleAnswer } from '../../gateway/ports/ledger.ts';
import type { RateShort, RateWant } from '../../gateway/ports/rates.ts';
import { LedgerModel } from './ledger-model.ts';

interface Taken {
  readonly id: string;
  readonly account: string;
  readonly unit: string;
  /** from when on it is out of the window */
  readonly until: number;
  amount: number;
}

/** Money and rates in their most naive form: everything that was ever taken in one list, counted anew each time. */
export class RateModel {
  readonly money: LedgerModel;
  #taken: Taken[] = [];
  #refused = new Map<string, RateShort>();
  readonly #corrected = new Set<string>();

  constructor(accounts: readonly Account[]) {
    this.money = new LedgerModel(accounts);
  }

  sum(account: string, now: number): number {
    const within = this.#taken.filter((one) => one.account === account && now < one.until);
    return within.reduce((sum, { amount }) => sum + amount, 0);
  }

  reserve(request: Reservation, now: number): ReturnType<LedgerModel['reserve']> | RateShort {
    const { id, rates = [] } = request;
    const before = this.#refused.get(id);
    if (before) return before;
    if (this.money.knows(id)) return this.money.reserve(request);
    const short = rates.find(({ account, amount }) => this.sum(account.id, now) + amount > account.limit);
    if (short) {
      const refusal = this.#refusal(short, now);
      this.#refused.set(id, refusal);
      return refusal;
    }
    const granted = this.money.reserve(request);
    if (typeof granted === 'bigint') for (const want of rates) this.#take(id, want, now);
    return granted;
  }

  settle(id: string, amount: bigint, accounts: readonly Account[], tokens: number | undefined): SettleAnswer {
    if (tokens !== undefined && !this.#corrected.has(id))
      for (const one of this.#taken) if (one.id === id && one.unit === 'tokens') one.amount = tokens;
    this.#corrected.add(id);
    return this.money.settle(id, amount, accounts);
  }

  release(id: string): void {
    if (!this.#corrected.has(id)) this.#taken = this.#taken.filter((one) => one.id !== id);
    if (this.money.holds(id)) this.#corrected.add(id);
    this.money.release(id);
  }

  restart(): void {
    this.#refused = new Map();
    this.money.restart();
  }

  #take(id: string, { account, amount }: RateWant, now: number): void {
    const width = RATE_MS[account.window] / 60;
    const slot = Math.floor(now / width) * width;
    const until = slot + width + RATE_MS[account.window];
    this.#taken.push({ id, account: account.id, unit: account.unit, until, amount });
  }

  #refusal({ account, amount }: RateWant, now: number): RateShort {
    const left = Math.max(0, account.limit - this.sum(account.id, now));
    const ends = this.#taken.filter((one) => one.account === account.id && now < one.until).map(({ until }) => until);
    const free = ends.sort((a, b) => a - b).find((at) => this.sum(account.id, at) + amount <= account.limit);
    return { account, left, retryAfterMs: amount > account.limit || free === undefined ? undefined : free - now };
  }
}
