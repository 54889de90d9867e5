import type { SealEntry } from '../../domain/receipt.ts';
import { type Pico, pico } from '../../domain/scalars.ts';

// The one bigint of a receipt; JSON has none, so it is kept as a decimal string.
type Reported = { readonly usage?: { readonly reported?: Pico | string | undefined } | undefined };

/** A receipt as JSON text. */
export function receiptText(receipt: SealEntry): string {
  const reported = receipt.usage?.reported;
  if (reported === undefined) return JSON.stringify(receipt);
  return JSON.stringify({ ...receipt, usage: { ...receipt.usage, reported: String(reported) } });
}

/** The receipt that `receiptText` wrote. */
export function receiptOf(text: string): SealEntry {
  const receipt = JSON.parse(text) as SealEntry;
  const reported = (receipt as Reported).usage?.reported;
  if (receipt.usage === undefined || reported === undefined) return receipt;
  return { ...receipt, usage: { ...receipt.usage, reported: pico(BigInt(reported)) } };
}
