import type { Nano } from '../domain/scalars.ts';
import type { Balance } from '../ports/ledger.ts';
import { usedOf } from './budget-left.ts';

/** Parts of a budget, in per cent, whose passing is told before the wall is reached (meter.md 3.4). */
const THRESHOLDS = [50, 80, 95] as const;
type Threshold = (typeof THRESHOLDS)[number];

const ACCOUNTS_KEPT = 20_000;

/** Tells once per account and process when spending passes a threshold. Holds names of accounts, the latest. */
export class BudgetWatch {
  /** the greatest part ever seen used, by account */
  readonly #seen = new Map<string, number>();

  /** `charged` was booked on the accounts of these balances, as they were before. Returns what it passed. */
  passed(balances: readonly Balance[], charged: Nano): { readonly balance: Balance; readonly threshold: Threshold }[] {
    return balances.flatMap((balance) => {
      const { id, limit } = balance.account;
      const before = this.#seen.get(id) ?? usedOf(limit, balance.spent);
      const after = Math.max(before, usedOf(limit, balance.spent + charged));
      this.#seen.delete(id);
      this.#seen.set(id, after);
      if (this.#seen.size > ACCOUNTS_KEPT) this.#seen.delete(this.#seen.keys().next().value as string);
      return THRESHOLDS.filter((t) => before < t && after >= t).map((threshold) => ({ balance, threshold }));
    });
  }
}
