import { nano } from '../../domain/scalars.ts';
import type { Account, Balance } from '../../ports/ledger.ts';
import { MOST } from './amounts.ts';
import type { Totals } from './book.ts';

export const balanceOf = (account: Account, { spent, held }: Totals): Balance => ({
  account,
  spent: nano(spent),
  held: nano(held),
});

/** What may still be held in an account, in nano-dollars; below zero where a charge passed the limit. */
export const roomIn = ({ account, spent, held }: Balance): bigint => countable(account.limit) - spent - held;

/** The balance with least room, the first of equals. */
export function tightest(balances: readonly Balance[]): Balance | undefined {
  let short: Balance | undefined;
  for (const balance of balances) if (!short || roomIn(balance) < roomIn(short)) short = balance;
  return short;
}

/** `amount` where there is room for it, else all the room where that is at least `least`, which is not below zero. */
export function fitting(amount: bigint, least: bigint, room: bigint): bigint | undefined {
  if (amount <= room) return amount;
  return room >= least ? room : undefined;
}

/** The ids of accounts, each once. */
export const distinct = (accounts: readonly Account[]): string[] => [...new Set(accounts.map(({ id }) => id))];

function countable(limit: bigint): bigint {
  if (limit > MOST) return MOST;
  return limit;
}
