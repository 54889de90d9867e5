import { Fault } from '../domain/fault.ts';
import { nanoToUsd } from '../domain/money.ts';
import type { Quote } from '../domain/pricing.ts';
import type { Principal } from '../domain/principal.ts';
import { type CallId, type EpochMs, epochMs, type Nano, nano } from '../domain/scalars.ts';
import type { Account, Balance } from '../ports/ledger.ts';
import { accountsOf } from './accounts.ts';
import type { Gateway } from './gateway.ts';

/** Money held for one call, or none where no budget applies. */
export interface Hold {
  readonly amount: Nano;
  readonly accounts: readonly Account[];
  readonly balances: readonly Balance[];
}

/** A budget that has no room; the corridor turns it into a denial and a receipt line. */
export class BudgetShort extends Fault {
  readonly scope: string;
  constructor(scope: string, message: string) {
    super('TG_BUDGET_EXCEEDED', message, undefined, { rule: `budget/${scope}`, reason: 'budget_exceeded' });
    this.scope = scope;
  }
}

/** The least worth having: the fixed part and as much output as is useful, or all that was asked for where that is less. */
function leastOf(quote: Quote, minUseful: number): Nano {
  const tokens = Math.min(minUseful, quote.outputCap);
  const pico = quote.perOutputToken * BigInt(tokens);
  const least = quote.fixed + (pico + 999n) / 1000n;
  return nano(least < quote.max ? least : quote.max);
}

/** Holds the quote in every budget of the principal, or what fits of it where that is still useful. Throws a BudgetShort. */
export async function reserve(gate: Gateway, id: CallId, at: EpochMs, principal: Principal, quote: Quote): Promise<Hold> {
  const accounts = accountsOf(gate.budgets, principal, at);
  if (accounts.length > 0 && !quote.bounded) throw unbounded(accounts[0] as Account, quote);
  const answer = await gate.ledger.reserve({
    id,
    at,
    accounts,
    amount: quote.max,
    least: leastOf(quote, gate.limits.minUseful),
    lapsesAt: epochMs(at + gate.limits.leaseMs),
  });
  if (!answer.granted) throw short(answer.short, answer.left, quote);
  return { amount: answer.amount, accounts, balances: answer.balances };
}

function short({ account, spent, held }: Balance, rest: Nano, quote: Quote): BudgetShort {
  const resets = account.resetsAt === undefined ? '' : `, which resets at ${new Date(account.resetsAt).toISOString()}`;
  const busy = held > 0n ? ` and $${nanoToUsd(held)} is held by calls in flight` : '';
  return new BudgetShort(
    account.scope,
    `tollgate denied the call: the ${account.scope} budget of $${nanoToUsd(account.limit)} (${account.window}${resets}) has $${nanoToUsd(rest)} left; ` +
      `$${nanoToUsd(spent)} is spent${busy}, and this call could cost up to $${nanoToUsd(quote.max)}; ask for less output, stop here, or have the limit raised`,
  );
}

function unbounded(account: Account, quote: Quote): BudgetShort {
  return new BudgetShort(
    account.scope,
    `tollgate denied the call: it has no upper bound (${quote.note ?? 'a provider-run tool without a limit'}) and the ${account.scope} budget of $${nanoToUsd(account.limit)} is hard; set \`max_uses\` or leave the tool out`,
  );
}
