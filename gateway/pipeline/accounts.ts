import { type Budget, type Scope, windowAt } from '../domain/budget.ts';
import { nanoToNumber } from '../domain/money.ts';
import type { Named, Principal } from '../domain/principal.ts';
import { type EpochMs, type Nano, nano } from '../domain/scalars.ts';
import type { BudgetFacts } from '../domain/snapshot.ts';
import { globMatches, parseGlob } from '../policy/glob.ts';
import type { Account, Balance } from '../ports/ledger.ts';

/** A self-given name is unique only inside its key: two keys that send the same id share nothing (attribution.md 1). */
function spaced(principal: Principal, name: Named): string {
  const own = name.assurance === 'verified' || name.assurance === 'keyed';
  return own ? `${principal.tenant.id}/${name.id}` : `${principal.tenant.id}/${principal.key ?? 'open'}/${name.id}`;
}

function member(principal: Principal, scope: Scope): { readonly id: string; readonly account: string } | undefined {
  switch (scope) {
    case 'tenant':
      return { id: principal.tenant.id, account: principal.tenant.id };
    case 'key':
      return principal.key === undefined
        ? undefined
        : { id: principal.key, account: `${principal.tenant.id}/${principal.key}` };
    case 'human':
      return principal.human && { id: principal.human.id, account: spaced(principal, principal.human) };
    case 'agent':
      return { id: principal.agent.id, account: spaced(principal, principal.agent) };
    case 'run':
      return { id: principal.run.id, account: spaced(principal, principal.run) };
  }
}

/** Every account a call of this principal is charged to at `at`. */
export function accountsOf(budgets: readonly Budget[], principal: Principal, at: EpochMs): Account[] {
  const accounts: Account[] = [];
  for (const { scope, window, limit, match } of budgets) {
    const who = member(principal, scope);
    if (!who || (match !== undefined && !globMatches(parseGlob(match), who.id))) continue;
    const { start, end } = windowAt(window, at);
    const suffix = match === undefined ? '' : `:${match}`;
    accounts.push({ id: `${scope}:${who.account}:${window}:${start}${suffix}`, scope, window, limit, resetsAt: end });
  }
  return accounts;
}

const left = (balance: Balance): Nano => {
  const rest = balance.account.limit - balance.spent - balance.held;
  return nano(rest < 0n ? 0n : rest);
};

/** What rules may read about budgets; the tightest account speaks for its scope. */
export function budgetFacts(balances: readonly Balance[], now: EpochMs): Partial<Record<Scope, BudgetFacts>> {
  const facts: Partial<Record<Scope, BudgetFacts>> = {};
  for (const balance of balances) {
    const { scope, window, limit, resetsAt } = balance.account;
    const rest = nanoToNumber(left(balance));
    const known = facts[scope];
    if (known && known.left_usd <= rest) continue;
    facts[scope] = {
      limit_usd: nanoToNumber(limit),
      spent_usd: nanoToNumber(balance.spent),
      held_usd: nanoToNumber(balance.held),
      left_usd: rest,
      resets_in_s: resetsAt === undefined ? 0 : Math.max(0, Math.round((resetsAt - now) / 1000)),
      window,
    };
  }
  return facts;
}
