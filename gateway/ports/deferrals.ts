import type { Principal } from '../domain/principal.ts';
import type { CallId, EpochMs, Nano } from '../domain/scalars.ts';

/** A call that was carried and whose usage comes later: its hold stays open. */
export interface DeferredCall {
  readonly call: CallId;
  /** `<upstream>/<id the provider issued>` */
  readonly object: string;
  /** when the call arrived: its prices hold */
  readonly at: EpochMs;
  /** from then on the hold is the charge */
  readonly until: EpochMs;
  readonly hold: Nano;
  /** how many requests it consists of */
  readonly requests: number;
  readonly principal: Principal;
  readonly step: number;
  readonly upstream: string;
  readonly dialect: string;
  readonly model: string;
  /** a receipt charges it */
  readonly settled: boolean;
}

/**
 * Which calls wait for their usage, by what the provider calls them. An index over the record: a receipt with `deferred` opens one,
 * a receipt that `settles` closes it. Kept after that for as long as a provider shows results, so that nothing is charged twice and
 * nobody sees what another tenant began. Throws a Fault (`TG_LEDGER_UNAVAILABLE`) where the store does not answer.
 */
export interface Deferrals {
  /** Idempotent on the call's id; durable when it returns. */
  open(call: DeferredCall): void;
  find(object: string): DeferredCall | undefined;
  /** Idempotent; durable when it returns. */
  close(call: CallId): void;
  /** Calls that no receipt charges yet, oldest first. */
  waiting(): readonly DeferredCall[];
}
