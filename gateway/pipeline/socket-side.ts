import type { SideUsage } from '../ports/socket-language.ts';
import { accountsOf } from './accounts.ts';
import { type ChargeTerms, priceOnce } from './charge.ts';
import { begin, seal, settle } from './conclude.ts';
import { refuse } from './say.ts';
import { type Line, trailOf } from './socket-line.ts';

/**
 * Charges what a provider bills beside the responses of a socket. It is known only once it was served, so it is charged whether or not
 * a budget has room for it; the next call finds it spent. Throws where its write-ahead line cannot be written.
 */
export async function chargeSide(line: Line, { model, usage }: SideUsage): Promise<void> {
  const gate = line.gate();
  const trail = trailOf(line, gate, model);
  const { principal } = line.opener;
  const { prices: provider } = line.route.destination;
  trail.principal = principal;
  trail.status = 200;
  trail.note('beside the responses of a socket: known only once it was served');
  const bound = { model, bytes: 0, choices: 1, opaque: ['audio'], serverTools: [] };
  const quote = gate.cashier.quote(provider, bound, trail.at, false);
  const hold = { amount: quote.max, accounts: accountsOf(gate.budgets, principal, trail.at, { model }), balances: [] };
  const terms: ChargeTerms = {
    cashier: gate.cashier,
    provider,
    model,
    at: trail.at,
    price: priceOnce(gate.cashier, provider, model, trail.at),
    bound,
    held: quote.max,
    outputCap: quote.outputCap,
    requests: 1,
  };
  try {
    await begin(gate, trail, principal, hold);
    const served = { served: true, outputFloor: 0, providerRuns: 0, issuedIds: [] };
    await settle(gate, trail, hold, terms, { ...served, ending: 'completed', usage });
    trail.ending = 'completed';
  } catch (error) {
    refuse(trail, error);
    throw error;
  } finally {
    await seal(gate, trail);
  }
}
