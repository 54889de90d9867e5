import type { Nano } from '../domain/scalars.ts';
import type { Account, Balance } from '../ports/ledger.ts';

/** What the ledger keeps for one call: money where a budget applies. */
export interface Hold {
  readonly amount: Nano;
  readonly accounts: readonly Account[];
  readonly balances: readonly Balance[];
  /** the lease on each account that it is a part of */
  readonly leases?: readonly string[] | undefined;
  /** the call took of rates, which its end corrects */
  readonly rated?: boolean | undefined;
}

/** True where the ledger has to hear how the call ended. */
export const isKept = ({ accounts, rated }: Hold): boolean => accounts.length > 0 || rated === true;
