import { nanoToUsd } from '../domain/money.ts';
import { type Nano, nano } from '../domain/scalars.ts';
import type { Gateway } from './gateway.ts';
import type { Hold } from './hold.ts';

/** Writes an event and counts every threshold that a charge passed. A record that fails is an alarm elsewhere. Never throws. */
export function tellThresholds(gate: Gateway, { balances }: Hold, charged: Nano): void {
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
