import { asCount, asString, isObject, type Json, member } from '../../domain/json.ts';
import { divideUp } from '../../domain/money.ts';
import { type Pico, pico } from '../../domain/scalars.ts';

const DECIMAL = /^([0-9]{1,20})(?:\.([0-9]{1,40}))?(?:[eE]([+-]?[0-9]{1,2}))?$/;
const PICO_DIGITS = 12;
/** xAI states whole ticks of 10⁻¹⁰ USD. */
const PICO_PER_TICK = 100n;

/** US dollars as a provider writes them (a JSON number or a decimal string, exponents included) → picodollars, rounded up. */
function statedUsd(value: Json | undefined): Pico | undefined {
  const match = typeof value === 'number' || typeof value === 'string' ? DECIMAL.exec(String(value)) : null;
  if (!match) return undefined;
  const fraction = match[2] ?? '';
  const digits = BigInt((match[1] as string) + fraction);
  const shift = PICO_DIGITS - fraction.length + Number(match[3] ?? 0);
  return pico(shift >= 0 ? digits * 10n ** BigInt(shift) : divideUp(digits, 10n ** BigInt(-shift)));
}

/**
 * What the provider says this reply costs (meter.md 1.4): OpenRouter `cost` (with the upstream's own bill where the caller's key
 * was used), Perplexity `cost.total_cost`, xAI `cost_in_usd_ticks`, DeepInfra `estimated_cost`.
 */
export function reportedCost(usage: Json): Pico | undefined {
  const ticks = asCount(member(usage, 'cost_in_usd_ticks'));
  if (ticks !== undefined) return pico(BigInt(ticks) * PICO_PER_TICK);
  const cost = member(usage, 'cost');
  if (isObject(cost)) return statedUsd(member(cost, 'total_cost'));
  const own = statedUsd(cost);
  if (own === undefined) return statedUsd(member(usage, 'estimated_cost'));
  if (member(usage, 'is_byok') !== true) return own;
  const upstream = statedUsd(member(member(usage, 'cost_details'), 'upstream_inference_cost'));
  return upstream === undefined ? own : pico(own + upstream);
}

/** How often each fee was incurred, from the counters that providers put into usage; a zero is left out. */
export function statedFees(usage: Json): Record<string, number> {
  const fees: Record<string, number> = {};
  const add = (fee: string, count: number | undefined): void => {
    if (count !== undefined && count > 0) fees[fee] = Math.max(fees[fee] ?? 0, count);
  };
  add('web_search', asCount(member(usage, 'num_search_queries')));
  add('web_search', asCount(member(member(usage, 'server_tool_use'), 'web_search_requests')));
  add('live_search', asCount(member(usage, 'num_sources_used')));
  const serverSide = member(usage, 'server_side_tool_usage_details');
  if (isObject(serverSide)) {
    for (const [name, count] of Object.entries(serverSide)) add(name.replace(/_calls$/, ''), asCount(count));
  }
  return fees;
}

/** A reply that cites the web searched it at least once, whether or not usage says so. */
export const citesWeb = (annotations: Json | undefined): boolean =>
  Array.isArray(annotations) && annotations.some((note) => asString(member(note, 'type')) === 'url_citation');
