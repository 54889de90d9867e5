import type { Cost, RequestBound } from '../domain/pricing.ts';
import type { EpochMs } from '../domain/scalars.ts';
import { type Nano, nano } from '../domain/scalars.ts';
import { summarize, type Usage, type UsageEntry } from '../domain/usage.ts';
import type { Cashier } from '../price/cashier.ts';
import type { Outcome } from './outcome.ts';

export interface ChargeTerms {
  readonly cashier: Cashier;
  readonly provider: string;
  readonly model: string;
  readonly at: EpochMs;
  /** what usage costs on these terms */
  readonly price: (usage: Usage) => Cost;
  /** what the request showed of its worst case, as it was carried */
  readonly bound: RequestBound;
  /** what the ledger holds for the call */
  readonly held: Nano;
  /** the output cap the request was carried with */
  readonly outputCap: number;
  /** how many requests the call consists of */
  readonly requests: number;
}

/** Prices usage, and the same usage only once: rules read the cost of a reply before it is charged. */
export function priceOnce(cashier: Cashier, provider: string, model: string, at: EpochMs): ChargeTerms['price'] {
  let last: { readonly usage: Usage; readonly cost: Cost } | undefined;
  return (usage) => {
    if (last?.usage !== usage) last = { usage, cost: cashier.cost(provider, model, usage, at) };
    return last.cost;
  };
}

/**
 * What a finished call is charged. Exact usage is charged as it is and the rest of the hold comes back. Anything less keeps the whole
 * hold, or more where the input that was seen together with the whole output cap would cost more (meter.md 3.2). A call that was
 * certainly not served costs nothing.
 */
export function chargeOf(
  terms: ChargeTerms,
  outcome: Outcome,
): { readonly amount: Nano; readonly cost: Cost | undefined } {
  if (!outcome.served) return { amount: nano(0n), cost: undefined };
  const { usage } = outcome;
  if (usage === undefined) return { amount: terms.held, cost: undefined };
  const cost = terms.price(usage);
  if (usage.certainty === 'exact') return { amount: cost.total, cost };
  const worst = terms.price(atOutputCap(usage, terms.outputCap, outcome.outputFloor));
  return { amount: largest(terms.held, cost.total, worst.total, ranAgain(terms, outcome.providerRuns)), cost };
}

/** The bound of a request whose reply shows that the provider ran something more: a window for each run, whatever the request declared. */
function ranAgain({ cashier, provider, bound, at }: ChargeTerms, runs: number): Nano {
  if (runs === 0) return nano(0n);
  return cashier.quote(provider, { ...bound, serverTools: [{ fee: 'web_search', maxUses: runs }] }, at, true).max;
}

/** Usage as it may have become: the input seen, and output up to the cap. */
function atOutputCap(usage: Usage, outputCap: number, outputFloor: number): Usage {
  const [first, ...rest] = usage.entries;
  if (!first) return usage;
  const output = Math.max(outputCap, outputFloor, summarize(usage).output);
  const entry: UsageEntry = { ...first, leaves: { ...first.leaves, output } };
  return { ...usage, entries: [entry, ...rest] };
}

function largest(first: Nano, ...others: readonly Nano[]): Nano {
  let most = first;
  for (const amount of others) if (amount > most) most = amount;
  return most;
}
