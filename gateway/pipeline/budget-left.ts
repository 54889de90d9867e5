import { nanoToUsd } from '../domain/money.ts';
import { type Nano, nano } from '../domain/scalars.ts';
import type { Account } from '../ports/ledger.ts';
import type { Hold } from './hold.ts';

/** How much of a limit is used, in whole per cent, rounded down. */
export const usedOf = (limit: Nano, used: bigint): number => (limit <= 0n ? 100 : Number((used * 100n) / limit));

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
