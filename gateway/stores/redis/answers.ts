import { Fault } from '../../domain/fault.ts';
import { type CallId, nano } from '../../domain/scalars.ts';
import type { Balance, SettleAnswer } from '../../ports/ledger.ts';
import { countable } from './amounts.ts';
import { Unreachable } from './link.ts';

/** Runs `work`; where Redis does not answer, throws the Fault of the port. */
export async function answered<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof Unreachable ? unavailable(error) : error;
  }
}

/** Said where Redis did not answer. */
export const unavailable = (error: Unreachable): Fault =>
  new Fault('TG_LEDGER_UNAVAILABLE', 'the shared ledger does not answer: try again', error);

/** Said to a reserve whose id was used before. */
export const spent = (id: CallId): Fault =>
  new Fault('TG_INTERNAL', `the hold of call \`${id}\` is closed: reserve again under a new call id`);

/** The port's answer to a settlement of a hold of `held`. */
export const settled = ({ charged, held }: { readonly charged: bigint; readonly held: bigint }): SettleAnswer => ({
  charged: nano(charged),
  overrun: nano(charged > held ? charged - held : 0n),
});

/** What may still be held in an account, in nano-dollars; below zero where a charge passed the limit. */
export const roomIn = ({ account, spent, held }: Balance): bigint => countable(account.limit) - spent - held;

/** The balance with least room, the first of equals. */
export const tightest = (balances: readonly Balance[]): Balance =>
  balances.reduce((short, balance) => (roomIn(balance) < roomIn(short) ? balance : short));
