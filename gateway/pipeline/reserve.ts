import type { ModelRef } from '../domain/action.ts';
import type { Fault } from '../domain/fault.ts';
import { nanoToUsd } from '../domain/money.ts';
import type { Quote } from '../domain/pricing.ts';
import type { Principal } from '../domain/principal.ts';
import { epochMs, type Nano, nano } from '../domain/scalars.ts';
import type { Account } from '../ports/ledger.ts';
import { accountsOf } from './accounts.ts';
import { budgetLeft } from './budget-left.ts';
import { denyCall } from './denied-call.ts';
import type { Gateway } from './gateway.ts';
import type { Hold } from './hold.ts';
import { rateDenial, rateWants } from './rates.ts';
import { shortOfBudget } from './short-of-budget.ts';
import type { Trail } from './trail.ts';

/** The least worth having: the fixed part and as much output as is useful, or all that was asked for where that is less. */
function leastOf(quote: Quote, minUseful: number): Nano {
  const tokens = Math.min(minUseful, quote.outputCap);
  const pico = quote.perOutputToken * BigInt(tokens);
  const least = quote.fixed + (pico + 999n) / 1000n;
  return nano(least < quote.max ? least : quote.max);
}

/**
 * Holds the quote in every budget of the principal, or what fits of it where that is still useful, and takes of every rate, in one question.
 * Throws a Fault (`TG_RATE_LIMITED`, `TG_BUDGET_EXCEEDED`) that names which has no room; the refusal is a judged action of the call like any
 * other denial.
 */
export async function reserve(
  gate: Gateway,
  trail: Trail,
  principal: Principal,
  quote: Quote,
  model: ModelRef,
): Promise<Hold> {
  const { id, at } = trail;
  const booked = { model: model.name };
  const tokens = Math.min(
    Math.ceil(quote.inputTokens + quote.outputCap * (quote.choices ?? 1)),
    Number.MAX_SAFE_INTEGER,
  );
  const rates = rateWants(gate, principal, booked, tokens);
  const accounts = accountsOf(gate.budgets, principal, at, booked);
  const first = accounts[0];
  if (first && !quote.bounded) throw refusal(trail, principal, model, first, unbounded(first, quote));
  const answer = await gate.ledger.reserve({
    id,
    at,
    accounts,
    rates,
    amount: quote.max,
    least: leastOf(quote, gate.limits.minUseful),
    lapsesAt: epochMs(at + gate.limits.leaseMs),
  });
  if (!answer.granted) {
    if (answer.rate) throw denyCall(trail, principal, model, rateDenial(answer.rate, tokens));
    const message = shortOfBudget('the call', answer.short, answer.left, quote, 'ask for less output');
    throw refusal(trail, principal, model, answer.short.account, message);
  }
  const hold: Hold = { amount: answer.amount, accounts, balances: answer.balances, leases: answer.leases };
  trail.budgetLeft = budgetLeft(hold);
  return hold;
}

function refusal(trail: Trail, principal: Principal, model: ModelRef, account: Account, message: string): Fault {
  const rule = `budget/${account.scope}`;
  return denyCall(trail, principal, model, { code: 'TG_BUDGET_EXCEEDED', rule, reason: 'budget_exceeded', message });
}

/**
 * The hold for the request as the verdicts left it: an edit may have made it a little longer, so the hold grows with it. Throws a
 * Fault (`TG_BUDGET_EXCEEDED`) where no budget has room for that.
 */
export async function refit(
  gate: Gateway,
  trail: Trail,
  principal: Principal,
  hold: Hold,
  after: Quote,
  model: ModelRef,
): Promise<Hold> {
  if (hold.accounts.length === 0 || after.max <= hold.amount) return hold;
  if (await gate.ledger.extend(trail.id, after.max, hold.accounts)) return { ...hold, amount: after.max };
  throw denyCall(trail, principal, model, {
    code: 'TG_BUDGET_EXCEEDED',
    rule: 'budget/edit',
    reason: 'budget_exceeded',
    message: `tollgate denied the call: a rule made it dearer, up to $${nanoToUsd(after.max)}, and no budget has room for that; ask for less output`,
  });
}

function unbounded(account: Account, quote: Quote): string {
  return `tollgate denied the call: it has no upper bound (${quote.note ?? 'a provider-run tool without a limit'}) and the ${account.scope} budget of $${nanoToUsd(account.limit)} is hard; set \`max_uses\` or leave the tool out`;
}
