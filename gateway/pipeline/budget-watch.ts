import { nanoToUsd } from '../domain/money.ts';
import { type Nano, nano } from '../domain/scalars.ts';
import type { Account, Balance } from '../ports/ledger.ts';
import type { Gateway } from './gateway.ts';
import type { Hold } from './reserve.ts';

/** Parts of a budget, in per cent, whose passing is told before the wall is reached (meter.md 3.4). */
export const THRESHOLDS = [50, 80, 95] as const;
export type Threshold = (typeof THRESHOLDS)[number];

const ACCOUNTS_KEPT = 20_000;

/** How much of a limit is used, in whole per cent, rounded down. */
const usedOf = (limit: Nano, used: bigint): number => (limit <= 0n ? 100 : Number((used * 100n) / limit));

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

/** Writes an event and counts every threshold that a charge passed. A record that fails is an alarm elsewhere. Never throws. */
export function watchBudgets(gate: Gateway, { balances }: Hold, charged: Nano): void {
  if (balances.length === 0 || charged === 0n) return;
  for (const { balance, threshold } of gate.watch.passed(balances, charged)) {
    const { id, scope, window, limit } = balance.account;
    gate.metrics.budgetThreshold(scope, threshold);
    const detail = {
      account: id,
      scope,
      window,
      threshold,
      limit_usd: nanoToUsd(limit),
      spent_usd: nanoToUsd(nano(balance.spent + charged)),
    };
    gate.log.warn(detail, `${threshold} % of a budget is spent`);
    gate.spool.append({ kind: 'event', at: gate.clock.now(), name: 'budget_threshold', detail }, 'soon').catch(() => {
      gate.metrics.spoolHealthy(false);
    });
  }
}

/** What is left of the tightest budget once this call has taken all it may: `0.482100; scope=run; window=total; used=83`. */
export function budgetLeft({ balances, amount }: Hold): string | undefined {
  let tightest: { readonly account: Account; readonly left: bigint } | undefined;
  for (const { account, spent, held } of balances) {
    const left = account.limit - spent - held - amount;
    if (!tightest || left < tightest.left) tightest = { account, left };
  }
  if (!tightest) return undefined;
  const { account, left } = tightest;
  const rest = nano(left > 0n ? left : 0n);
  return `${nanoToUsd(rest)}; scope=${account.scope}; window=${account.window}; used=${usedOf(account.limit, account.limit - rest)}`;
}
