import { nanoToUsd, usdToNano } from '../../domain/money.ts';
import { type Nano, nano } from '../../domain/scalars.ts';
import type { Call } from './call.ts';

/** Dollars for people: four decimals, two from $100 on; what is less than the last digit is said to be. */
export function usdText(amount: Nano): string {
  if (amount === 0n) return '$0';
  const step = amount >= 100_000_000_000n ? 10_000_000n : 100_000n;
  if (amount < step / 2n) return `<$${nanoToUsd(nano(step))}`;
  const rounded = ((amount + step / 2n) / step) * step;
  const [whole, fraction = ''] = nanoToUsd(nano(rounded)).split('.');
  return `$${whole}.${fraction.padEnd(step === 100_000n ? 4 : 2, '0')}`;
}

/** A call's cost; `~` where it is an estimate. */
export function costText(call: Call): string {
  const amount = usdToNano(call.cost_usd);
  if (call.cost_status === 'unpriced') return 'unpriced';
  return `${call.cost_status === 'estimated' && amount > 0n ? '~' : ''}${usdText(amount)}`;
}

/** A count in at most five characters: `412`, `9,999` as `9999`, `12.3k`, `1.2M`. */
export function countText(count: number): string {
  if (count < 10_000) return String(count);
  if (count < 999_950) return `${trimmed(count / 1000)}k`;
  return `${trimmed(count / 1_000_000)}M`;
}

const trimmed = (value: number): string =>
  (value >= 99.95 ? String(Math.round(value)) : value.toFixed(1)).replace(/\.0$/, '');

/** Tokens in and out, cache reads and writes counted as input. */
export function tokenText({ input, output, cache_read, cache_write }: Call['usage']): string {
  const all = input + cache_read + cache_write;
  return all + output === 0 ? '-' : `${countText(all)}→${countText(output)}`;
}
