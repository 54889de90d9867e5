import type { Scope, WindowKind } from '../domain/budget.ts';
import type { CallId, EpochMs, Nano } from '../domain/scalars.ts';
import type { RateShort, RateWant } from './rates.ts';

/** One place where money is counted: a budget, one member of its scope, one window. */
export interface Account {
  /** e.g. `run:default/k1/run-7:total` */
  readonly id: string;
  readonly scope: Scope;
  readonly window: WindowKind;
  readonly limit: Nano;
  readonly resetsAt: EpochMs | undefined;
}

export interface Reservation {
  readonly id: CallId;
  readonly at: EpochMs;
  readonly accounts: readonly Account[];
  /** what the call takes of rates, each account once */
  readonly rates?: readonly RateWant[] | undefined;
  /** the quote's worst case */
  readonly amount: Nano;
  /** the least amount worth having: where `amount` does not fit but this does, what fits is granted */
  readonly least: Nano;
  /** from when on an unsettled hold counts as a charge */
  readonly lapsesAt: EpochMs;
}

export interface Balance {
  readonly account: Account;
  readonly spent: Nano;
  /** open holds, the new one not included */
  readonly held: Nano;
}

export type ReserveAnswer =
  | {
      readonly granted: true;
      readonly amount: Nano;
      readonly balances: readonly Balance[];
      /** what the hold is part of, for each account: the record names it, so that a restart can charge it (`LeaseBooks`) */
      readonly leases?: readonly string[] | undefined;
    }
  | {
      readonly granted: false;
      readonly rate?: undefined;
      readonly short: Balance;
      readonly left: Nano;
      readonly balances: readonly Balance[];
    }
  | { readonly granted: false; readonly rate: RateShort; readonly short?: undefined };

export interface SettleAnswer {
  readonly charged: Nano;
  /** how far the charge passed the hold */
  readonly overrun: Nano;
}

/**
 * Money held and charged, and rates taken (meter.md 3.2). Every verb is atomic, idempotent on the call's id, and moves totals, rates and
 * hold record together. Throws a Fault (`TG_LEDGER_UNAVAILABLE`) where the store does not answer; then nothing was changed.
 */
export interface Ledger {
  /**
   * Holds in every account and takes of every rate, or does neither anywhere: a rate that has no room is told before a budget. The same id
   * gets the same answer; a spent id is never granted again.
   */
  reserve(request: Reservation): Promise<ReserveAnswer>;
  /**
   * Raises an open hold to `amount` in all its accounts or in none: an edit made the call dearer. False where one has no room, or
   * where the hold is not open; then it stays as it was. True where it holds that much already.
   */
  extend(id: CallId, amount: Nano, accounts: readonly Account[]): Promise<boolean>;
  /**
   * Charges `amount` and gives the rest of the hold back. A lapsed hold is corrected once; an unknown id is charged on `accounts`. `tokens`
   * take the place of what the call took of token rates, once; undefined: it counts at its most until it leaves the window.
   */
  settle(id: CallId, amount: Nano, accounts: readonly Account[], tokens?: number): Promise<SettleAnswer>;
  /** Nothing was carried: the hold is given back whole, and what the call took of rates. */
  release(id: CallId): Promise<void>;
  /** A long stream extends its lease. */
  renew(id: CallId, lapsesAt: EpochMs): Promise<void>;
  /** Turns every hold whose lease ran out into a charge. Returns what was charged. */
  lapse(now: EpochMs): Promise<readonly { readonly id: CallId; readonly amount: Nano }[]>;
  balances(accounts: readonly Account[]): Promise<readonly Balance[]>;
}
