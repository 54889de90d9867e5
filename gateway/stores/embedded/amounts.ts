import { Fault } from '../../domain/fault.ts';
import type { Totals } from './book.ts';

/** The largest amount and total that SQLite can count: 2⁶³ − 1 nano-dollars, about nine billion dollars. */
export const MOST = 2n ** 63n - 1n;

/** Throws a Fault where `amount` is below zero or cannot be counted. */
export function checkAmount(name: string, amount: bigint): void {
  if (amount < 0n) throw new Fault('TG_INTERNAL', `\`${name}\` is below zero`);
  if (amount > MOST) throw new Fault('TG_LEDGER_UNAVAILABLE', `\`${name}\` is more than the ledger can count`);
}

/** Throws a Fault where the account could not count `change` more. */
export function checkTotal(totals: Totals, change: bigint): void {
  if (totals.spent + totals.held + change <= MOST) return;
  throw new Fault('TG_LEDGER_UNAVAILABLE', `the total of \`${totals.id}\` would be more than the ledger can count`);
}

/** Throws a Fault where `count`, of requests or tokens, is no whole number from zero up. */
export function checkCount(name: string, count: number): void {
  if (!Number.isSafeInteger(count) || count < 0) throw new Fault('TG_INTERNAL', `\`${name}\` is no whole number`);
}

/** `at` in whole milliseconds. Throws a Fault where it is no time. */
export function wholeMs(name: string, at: number): number {
  const whole = Math.trunc(at);
  if (!Number.isSafeInteger(whole)) throw new Fault('TG_INTERNAL', `\`${name}\` is no time in milliseconds`);
  return whole;
}
