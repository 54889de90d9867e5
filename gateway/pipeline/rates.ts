import { RATE_MS } from '../domain/budget.ts';
import type { Principal } from '../domain/principal.ts';
import { summarize, type Usage } from '../domain/usage.ts';
import type { RateAccount, RateShort, RateWant } from '../ports/rates.ts';
import { type Booked, membersOf } from './accounts.ts';
import type { GateDenial } from './denied-call.ts';
import type { Gateway } from './gateway.ts';

/**
 * What a call of this principal takes of every rate it counts against, each account once: one request, and `tokens`, the most it can come
 * to; undefined: it has none.
 */
export function rateWants(
  gate: Gateway,
  principal: Principal,
  booked: Booked,
  tokens: number | undefined,
): readonly RateWant[] {
  const wants = new Map<string, RateWant>();
  for (const { scope, window, unit, limit, match } of gate.rates) {
    const amount = unit === 'requests' ? 1 : tokens;
    if (amount === undefined) continue;
    for (const member of membersOf(principal, scope, booked, match)) {
      const suffix = match === undefined ? '' : `:${match}`;
      const id = `${scope}:${member.account}:${window}:${unit}${suffix}`;
      const account: RateAccount = { id, scope, window, unit, limit };
      const known = wants.get(id);
      if (!known || limit < known.account.limit) wants.set(id, { account, amount });
    }
  }
  return [...wants.values()];
}

/** What is said to a call that a rate has no room for. `tokens`: the most it could come to. */
export function rateDenial(short: RateShort, tokens: number): GateDenial {
  const { account, retryAfterMs } = short;
  return {
    code: 'TG_RATE_LIMITED',
    rule: `rate/${account.scope}`,
    reason: 'rate_limited',
    message: refusal(short, tokens),
    ...(retryAfterMs !== undefined && { retryAfterS: Math.max(1, Math.ceil(retryAfterMs / 1000)) }),
  };
}

function refusal({ account, left, retryAfterMs }: RateShort, tokens: number): string {
  const { scope, window, unit, limit } = account;
  const rate = `tollgate denied the call: the ${scope} may use ${limit} ${unit} per ${window}`;
  if (retryAfterMs === undefined)
    return `${rate} and this call alone could come to ${tokens}; ask for less output or send less, or have the limit raised`;
  const wait = Math.max(1, Math.ceil(Math.min(retryAfterMs, RATE_MS[window]) / 1000));
  const needs = unit === 'tokens' ? `, this call could come to ${tokens}` : '';
  return `${rate} and has ${left} left${needs}; wait ${wait} s`;
}

/** The tokens of exact usage, as rates count them; undefined where nobody knows them for certain. */
export function tokensOf(usage: Usage | undefined): number | undefined {
  if (usage?.certainty !== 'exact') return undefined;
  const { input, output, cache_read, cache_write } = summarize(usage);
  return input + output + cache_read + cache_write;
}
