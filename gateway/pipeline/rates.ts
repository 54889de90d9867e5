import { RATE_MS, type Rate } from '../domain/budget.ts';
import type { Fault } from '../domain/fault.ts';
import type { Principal } from '../domain/principal.ts';
import type { RateAccount, RateAnswer } from '../ports/rates.ts';
import { type Booked, membersOf } from './accounts.ts';
import type { GateDenial } from './denied-call.ts';
import type { Gateway } from './gateway.ts';
import type { Trail } from './trail.ts';

/** Every rate a call of this principal counts against. */
function rateAccountsOf(rates: readonly Rate[], principal: Principal, booked: Booked): RateAccount[] {
  return rates.flatMap(({ scope, window, unit, limit, match }) =>
    membersOf(principal, scope, booked, match).map(({ account }): RateAccount => {
      const suffix = match === undefined ? '' : `:${match}`;
      return { id: `${scope}:${account}:${window}:${unit}${suffix}`, scope, window, unit, limit };
    }),
  );
}

/**
 * Takes one request and `tokens`, the most the call can come to, from every rate of the principal or from none. Throws what `deny` makes of
 * a refusal (`TG_RATE_LIMITED`).
 */
export async function takeRates(
  gate: Gateway,
  trail: Trail,
  principal: Principal,
  booked: Booked,
  tokens: number,
  deny: (denial: GateDenial) => Fault,
): Promise<void> {
  if (gate.rates.limits.length === 0) return;
  const accounts = rateAccountsOf(gate.rates.limits, principal, booked);
  const wants = accounts.map((account) => ({ account, amount: account.unit === 'requests' ? 1 : tokens }));
  const answer = await gate.rates.store.take(trail.id, trail.at, wants);
  if (answer.granted) return;
  const { short, retryAfterMs } = answer;
  throw deny({
    code: 'TG_RATE_LIMITED',
    rule: `rate/${short.scope}`,
    reason: 'rate_limited',
    message: refusal(answer, tokens),
    ...(retryAfterMs !== undefined && { retryAfterS: Math.max(1, Math.ceil(retryAfterMs / 1000)) }),
  });
}

function refusal({ short, left, retryAfterMs }: RateAnswer & { granted: false }, tokens: number): string {
  const { scope, window, unit, limit } = short;
  const rate = `tollgate denied the call: the ${scope} may use ${limit} ${unit} per ${window}`;
  if (retryAfterMs === undefined)
    return `${rate} and this call alone could come to ${tokens}; ask for less output or send less, or have the limit raised`;
  const wait = Math.max(1, Math.ceil(Math.min(retryAfterMs, RATE_MS[window]) / 1000));
  const needs = unit === 'tokens' ? `, this call could come to ${tokens}` : '';
  return `${rate} and has ${left} left${needs}; wait ${wait} s`;
}

/** The tokens a call came to take the place of what it took; where nobody knows them it stays at the most. Never throws. */
export async function settleRates(gate: Gateway, trail: Trail, tokens: number | undefined): Promise<void> {
  if (gate.rates.limits.length === 0 || tokens === undefined) return;
  await quietly(gate, trail, () => gate.rates.store.settle(trail.id, tokens));
}

/** Nothing was carried. Never throws. */
export async function releaseRates(gate: Gateway, trail: Trail): Promise<void> {
  if (gate.rates.limits.length === 0) return;
  await quietly(gate, trail, () => gate.rates.store.release(trail.id));
}

async function quietly(gate: Gateway, trail: Trail, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'unknown';
    gate.log.warn(
      { call: trail.id, error: reason },
      'a rate was not corrected; the call counts at its most until it leaves the window',
    );
  }
}
