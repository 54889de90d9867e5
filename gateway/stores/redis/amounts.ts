import { Fault } from '../../domain/fault.ts';

/** The largest amount and total that Redis can count: 2⁶³ − 1 nano-dollars, about nine billion dollars. */
export const MOST = 2n ** 63n - 1n;

/** Throws a Fault where `amount` is below zero or cannot be counted. */
export function checkAmount(name: string, amount: bigint): void {
  if (amount < 0n) throw new Fault('TG_INTERNAL', `\`${name}\` is below zero`);
  if (amount > MOST) throw new Fault('TG_LEDGER_UNAVAILABLE', `\`${name}\` is more than the ledger can count`);
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

/** A limit as Redis can compare it. */
export function countable(limit: bigint): bigint {
  if (limit > MOST) return MOST;
  return limit;
}
