import { randomFillSync } from 'node:crypto';
import type { CallId, EpochMs } from '../domain/scalars.ts';
import type { Clock, Ids } from '../ports/clock.ts';

/** The machine's clock; where somebody sets it back, time stands still until it has caught up. */
export function systemClock(): Clock {
  let last = 0;
  return {
    now(): EpochMs {
      last = Math.max(last, Date.now());
      return last as EpochMs;
    },
    ticks: () => performance.now(),
  };
}

const DIGITS = '0123456789abcdefghjkmnpqrstvwxyz';
const TIME_DIGITS = 10;
const RANDOM_DIGITS = 16;

/** 48 bits of time as ten digits, most significant first. */
function timeText(ms: number): string {
  let text = '';
  for (let rest = ms, i = 0; i < TIME_DIGITS; i += 1, rest = Math.floor(rest / 32))
    text = DIGITS.charAt(rest % 32) + text;
  return text;
}

/** Adds one to a number written in base-32 digits; false: it ran over. */
function increment(digits: Uint8Array): boolean {
  for (let i = digits.length - 1; i >= 0; i -= 1) {
    const next = (digits[i] ?? 0) + 1;
    digits[i] = next & 31;
    if (next < 32) return true;
  }
  return false;
}

/**
 * Ids of 26 lower-case Crockford base-32 digits (https://github.com/ulid/spec): 48 bits of time, 80 random bits, increasing inside
 * one process. They name things and are no secrets: one id tells much about the next.
 */
export function createIds(clock: Clock): Ids {
  const pool = new Uint8Array(RANDOM_DIGITS * 256);
  const digits = new Uint8Array(RANDOM_DIGITS);
  let used = pool.length;
  let ms = -1;
  let prefix = '';
  const refill = (now: number): void => {
    if (used === pool.length) {
      randomFillSync(pool);
      used = 0;
    }
    for (let i = 0; i < RANDOM_DIGITS; i += 1) digits[i] = (pool[used + i] ?? 0) & 31;
    used += RANDOM_DIGITS;
    ms = now;
    prefix = timeText(now);
  };
  const next = (): string => {
    const now: number = clock.now();
    if (now > ms) refill(now);
    else if (!increment(digits)) refill(ms + 1);
    let text = prefix;
    for (const digit of digits) text += DIGITS[digit];
    return text;
  };
  return {
    call: () => `call_${next()}` as CallId,
    run: () => `run_${next()}`,
    key: () => `key_${next()}`,
  };
}
