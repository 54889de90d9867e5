import type { Rate, RateUnit, Scope } from '../domain/budget.ts';

/**
 * One place where a rate is counted: one member of its scope. A rate slides (meter.md 3.2): in no stretch of time as long as its window is
 * more than the limit granted, so there is no double burst at a boundary.
 */
export interface RateAccount {
  /** e.g. `agent:default/k1/bot:minute:requests` */
  readonly id: string;
  readonly scope: Scope;
  readonly window: Rate['window'];
  readonly unit: RateUnit;
  readonly limit: number;
}

/** What a call takes of one account. */
export interface RateWant {
  readonly account: RateAccount;
  /** a whole number; of tokens the most that the call could come to */
  readonly amount: number;
}

/** Why a call may not take what it wants of its rates now. */
export interface RateShort {
  readonly account: RateAccount;
  /** how much could be taken now */
  readonly left: number;
  /** until there is room; undefined: never, the call alone is more than the limit */
  readonly retryAfterMs: number | undefined;
}
