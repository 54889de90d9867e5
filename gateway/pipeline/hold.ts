import type { Nano } from '../domain/scalars.ts';
import type { Account, Balance } from '../ports/ledger.ts';

/** Money held for one call, or none where no budget applies. */
export interface Hold {
  readonly amount: Nano;
  readonly accounts: readonly Account[];
  readonly balances: readonly Balance[];
}
