import { nanoToUsd } from '../domain/money.ts';
import type { Quote } from '../domain/pricing.ts';
import type { Nano } from '../domain/scalars.ts';
import type { Balance } from '../ports/ledger.ts';

/** Why a budget has no room for `what`: how much is left, spent and held, when it resets, and what to do (`advice`). */
export function shortOfBudget(
  what: string,
  { account, spent, held }: Balance,
  rest: Nano,
  quote: Quote,
  advice: string,
): string {
  const resets = account.resetsAt === undefined ? '' : `, which resets at ${new Date(account.resetsAt).toISOString()}`;
  const busy = held > 0n ? ` and $${nanoToUsd(held)} is held by calls in flight` : '';
  return (
    `tollgate denied ${what}: the ${account.scope} budget of $${nanoToUsd(account.limit)} (${account.window}${resets}) has $${nanoToUsd(rest)} left; ` +
    `$${nanoToUsd(spent)} is spent${busy}, and this call could cost up to $${nanoToUsd(quote.max)}; ${advice}, stop here, or have the limit raised`
  );
}
