import type { Catalogue } from './catalogue.ts';
import { dearest } from './dearest.ts';

/**
 * What one use costs, in picodollars, where the model's own row does not name the fee: the dearest price the provider has for
 * it (`named`), else the provider's dearest fee of any kind, else the dearest of all tables. Zero only where no table has a fee.
 */
export function dearestFee(
  catalogue: Catalogue,
  provider: string,
  fee: string,
): { readonly amount: bigint; readonly named: boolean } {
  const own = catalogue.candidates(provider).map(({ model }) => model.fees);
  const named = dearest(own.flatMap((fees) => fees.get(fee) ?? []));
  if (named !== undefined) return { amount: named, named: true };
  const any = dearest(own.flatMap((fees) => [...fees.values()]));
  const anywhere =
    any ?? dearest(catalogue.tables.flatMap(({ models }) => models.flatMap(({ fees }) => [...fees.values()])));
  return { amount: anywhere ?? 0n, named: false };
}
