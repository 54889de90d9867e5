import type { Rate, RateUnit, Scope } from '../domain/budget.ts';
import type { CallId, EpochMs } from '../domain/scalars.ts';

/** One place where a rate is counted: one member of its scope. */
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
  /** a whole number */
  readonly amount: number;
}

export type RateAnswer =
  | { readonly granted: true }
  | {
      readonly granted: false;
      readonly short: RateAccount;
      /** how much could be taken now */
      readonly left: number;
      /** until there is room; undefined: never, the call alone is more than the limit */
      readonly retryAfterMs: number | undefined;
    };

/**
 * Requests and tokens over time (meter.md 3.2). A rate slides: in no stretch of time as long as its window is more than the limit granted,
 * so there is no double burst at a boundary. Throws a Fault (`TG_LEDGER_UNAVAILABLE`) where the store does not answer.
 */
export interface Rates {
  /** Takes from every account or from none. A call takes once. */
  take(id: CallId, at: EpochMs, wants: readonly RateWant[]): Promise<RateAnswer>;
  /** What the call came to in tokens replaces what it took; a call that is unknown, or long ago, changes nothing. */
  settle(id: CallId, tokens: number): Promise<void>;
  /** Nothing was carried: what the call took is given back. */
  release(id: CallId): Promise<void>;
}
