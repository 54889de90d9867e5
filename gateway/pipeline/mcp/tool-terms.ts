import type { ToolRef } from '../../domain/action.ts';
import type { Json } from '../../domain/json.ts';
import { nanoToNumber } from '../../domain/money.ts';
import type { Cost, Quote } from '../../domain/pricing.ts';
import type { Principal } from '../../domain/principal.ts';
import { type EpochMs, epochMs, type Nano, nano, pico } from '../../domain/scalars.ts';
import type { ToolPrice } from '../../price/tool-price.ts';
import { accountsOf } from '../accounts.ts';
import { chargeHold } from '../conclude.ts';
import type { Gateway } from '../gateway.ts';
import { type Hold, isKept } from '../hold.ts';
import { rateDenial, rateWants } from '../rates.ts';
import { shortOfBudget } from '../short-of-budget.ts';
import type { Trail } from '../trail.ts';
import { denyTool } from './deny-tool.ts';

const NOTHING = nano(0n);
export const NO_HOLD: Hold = { amount: NOTHING, accounts: [], balances: [] };

/** What a call is about, where money is concerned. */
export interface PricedCall {
  readonly server: string;
  readonly tool: string;
  readonly args: Json;
}

/** The most a tool call can cost. Without a price, or with a part that has no bound, it is unpriced (mcp-plane.md 12). */
export function quoteTool(price: ToolPrice | undefined): Quote {
  const max = price?.amount ?? NOTHING;
  return {
    priced: price?.bounded ?? false,
    bounded: true,
    max,
    fixed: max,
    perOutputToken: pico(0n),
    outputCap: 0,
    inputTokens: 0,
    ...(price === undefined && { note: 'nobody wrote a price for this tool' }),
    ...(price?.bounded === false && { note: 'a unit of its result has no `max`' }),
  };
}

/** What costs nothing here: lists, notifications, answers. */
export const NO_PRICE: Quote = {
  priced: true,
  bounded: true,
  max: NOTHING,
  fixed: NOTHING,
  perOutputToken: pico(0n),
  outputCap: 0,
  inputTokens: 0,
};

/** What rules may read of a price. */
export const priceUsd = (price: ToolPrice | undefined): number | undefined =>
  price?.bounded ? nanoToNumber(price.amount) : undefined;

/**
 * Holds the quote in every budget of the principal and takes of every rate, in one question. Throws a Fault (`TG_RATE_LIMITED`,
 * `TG_BUDGET_EXCEEDED`) that names which has no room.
 */
export async function reserveTool(
  gate: Gateway,
  trail: Trail,
  principal: Principal,
  quote: Quote,
  tool: ToolRef,
): Promise<Hold> {
  const booked = { tool: tool.name };
  const rates = rateWants(gate, principal, booked, undefined);
  const accounts = accountsOf(gate.budgets, principal, trail.at, booked);
  if (accounts.length === 0 && rates.length === 0) return NO_HOLD;
  const answer = await gate.ledger.reserve({
    id: trail.id,
    at: trail.at,
    accounts,
    rates,
    amount: quote.max,
    least: quote.max,
    lapsesAt: epochMs(trail.at + gate.limits.leaseMs),
  });
  if (answer.granted) {
    const { amount, balances, leases } = answer;
    return { amount, accounts, balances, leases, rated: rates.length > 0 };
  }
  if (answer.rate) throw denyTool(trail, principal, tool, rateDenial(answer.rate, 0));
  const { account } = answer.short;
  throw denyTool(trail, principal, tool, {
    code: 'TG_BUDGET_EXCEEDED',
    rule: `budget/${account.scope}`,
    reason: 'budget_exceeded',
    message: shortOfBudget(`the call of tool \`${tool.name}\``, answer.short, answer.left, quote, 'use a cheaper tool'),
  });
}

/** How a carried call ended, for its price. */
export interface Carried {
  /** the whole result; undefined: none was seen, and the hold is the charge */
  readonly result: Json | undefined;
  readonly failed: boolean;
  /** the result passed without being kept: its price does not depend on it */
  readonly unread?: boolean | undefined;
}

/** True where a price counts something in the result, or asks whether the tool failed. */
export function countsResult(gate: Gateway, at: EpochMs, { server, tool, args }: PricedCall): boolean {
  const [fine, failed] = [false, true].map((failed) =>
    gate.cashier.toolCost(server, tool, args, { result: undefined, failed }, at),
  );
  return fine !== undefined && (fine.status !== 'exact' || fine.amount !== failed?.amount);
}

/** What a carried call comes to: by its result where one was seen, else what was held; never less than the hold where a part has no bound. */
function costOfTool(
  gate: Gateway,
  trail: Trail,
  { server, tool, args }: PricedCall,
  hold: Hold,
  { result, failed, unread }: Carried,
): { readonly amount: Nano; readonly cost: Cost } {
  const price = gate.cashier.toolCost(server, tool, args, { result, failed }, trail.at);
  const table = gate.cashier.digest;
  if (!price) return { amount: NOTHING, cost: { status: 'unpriced', total: NOTHING, lines: [], table } };
  const unsure = (result === undefined && unread !== true) || !price.bounded;
  const amount = unsure && hold.amount > price.amount ? hold.amount : price.amount;
  return {
    amount,
    cost: { status: unsure ? 'estimated' : price.status, total: price.amount, lines: price.lines, table },
  };
}

/** Charges a carried call once. A ledger that does not answer keeps the hold, which lapses as a charge. Never throws. */
export async function settleTool(
  gate: Gateway,
  trail: Trail,
  call: PricedCall,
  hold: Hold,
  carried: Carried,
): Promise<Nano> {
  const { amount, cost } = costOfTool(gate, trail, call, hold, carried);
  trail.cost = cost;
  trail.charged = amount;
  return isKept(hold) ? chargeHold(gate, trail, hold, amount) : amount;
}
