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

/** What a call is booked under besides who makes it. */
export interface Booked {
  readonly model?: string | undefined;
  readonly tool?: string | undefined;
}

/** One member of a scope: what `match` looks at, and how its accounts are named. */
interface Member {
  readonly id: string;
  readonly account: string;
}

function all(principal: Principal, scope: Scope, { model, tool }: Booked): readonly Member[] {
  const tenant = principal.tenant.id;
  const inTenant = (id: string | undefined): readonly Member[] =>
    id === undefined || id === '' ? [] : [{ id, account: `${tenant}/${id}` }];
  switch (scope) {
    case 'tenant':
      return [{ id: tenant, account: tenant }];
    case 'key':
      return inTenant(principal.key);
    case 'human':
      return principal.human ? [{ id: principal.human.id, account: spaced(principal, principal.human) }] : [];
    case 'agent':
      return [{ id: principal.agent.id, account: spaced(principal, principal.agent) }];
    case 'run':
      return [{ id: principal.run.id, account: spaced(principal, principal.run) }];
    case 'model':
      return inTenant(model);
    case 'tool':
      return inTenant(tool);
    case 'tag':
      return (principal.tags ?? []).flatMap(inTenant);
  }
}

/** The members of a scope that a call of this principal belongs to, where they fit the glob `match`. */
export function membersOf(
  principal: Principal,
  scope: Scope,
  booked: Booked,
  match: string | undefined,
): readonly Member[] {
  const members = all(principal, scope, booked);
  if (match === undefined) return members;
  const glob = parseGlob(match);
  return members.filter(({ id }) => globMatches(glob, id));
}

/** Every account a call of this principal is charged to at `at`. */
export function accountsOf(
  budgets: readonly Budget[],
  principal: Principal,
  at: EpochMs,
  booked: Booked = {},
): Account[] {
  const accounts: Account[] = [];
  for (const { scope, window, limit, match } of budgets) {
    for (const { account } of membersOf(principal, scope, booked, match)) {
      const { start, end } = windowAt(window, at);
      const suffix = match === undefined ? '' : `:${match}`;
      accounts.push({ id: `${scope}:${account}:${window}:${start}${suffix}`, scope, window, limit, resetsAt: end });
    }
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
