import type { Quote } from '../domain/pricing.ts';
import type { EpochMs } from '../domain/scalars.ts';
import { nano, pico } from '../domain/scalars.ts';
import type { Reading } from '../ports/dialect.ts';
import type { Cashier } from '../price/cashier.ts';

/** The most a request can cost; of one that consists of several, the sum: no cap of output can lower that. */
export function quoteOf(cashier: Cashier, provider: string, reading: Reading, at: EpochMs, strict: boolean): Quote {
  if (!reading.members) return cashier.quote(provider, reading.bound, at, strict);
  let max = 0n;
  let inputTokens = 0;
  let outputCap = 0;
  let odd: Quote | undefined;
  for (const { reading: one } of reading.members) {
    const quote = cashier.quote(provider, one.bound, at, strict);
    max += quote.max;
    inputTokens += quote.inputTokens;
    outputCap = Math.max(outputCap, quote.outputCap);
    if (!quote.priced || !quote.bounded) odd ??= quote;
  }
  return {
    priced: odd?.priced ?? true,
    bounded: odd?.bounded ?? true,
    max: nano(max),
    fixed: nano(max),
    perOutputToken: pico(0n),
    outputCap,
    inputTokens,
    choices: reading.members.length,
    ...(odd?.note !== undefined && { note: odd.note }),
  };
}
