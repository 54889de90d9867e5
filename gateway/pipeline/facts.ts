import type { Action } from '../domain/action.ts';
import type { PlacedFinding } from '../domain/finding.ts';
import { nanoToNumber } from '../domain/money.ts';
import type { Quote } from '../domain/pricing.ts';
import type { Principal } from '../domain/principal.ts';
import type { EpochMs } from '../domain/scalars.ts';
import type { RunFacts, Snapshot } from '../domain/snapshot.ts';
import type { Selection } from '../policy/judge.ts';
import type { Headers } from '../ports/dialect.ts';
import type { Arrival } from '../ports/identity.ts';
import type { Balance } from '../ports/ledger.ts';
import { budgetFacts } from './accounts.ts';

/** What is known about a call once it is identified, quoted and reserved; the same for all of its actions. */
export type CallFacts = Omit<Snapshot, 'action' | 'run' | 'findings' | 'usage' | 'cost_usd'>;

/** What is known only once the reply was read. */
export interface ReplyFacts {
  readonly usage: Snapshot['usage'];
  readonly cost_usd: number;
}

const NO_REPLY: ReplyFacts = { usage: { input: 0, output: 0, cache_read: 0, cache_write: 0 }, cost_usd: 0 };
const SECRET_HEADERS =
  /^(authorization|proxy-authorization|cookie|x-api-key|api-key|x-goog-api-key|x-tollgate-key|x-acp-key|x-bf-vk)$/;

/** Headers as rules see them: one string each, credentials left out. */
function visibleHeaders(headers: Headers): Record<string, string> {
  const visible: Record<string, string> = {};
  for (const name in headers) {
    const value = headers[name];
    if (value !== undefined && !SECRET_HEADERS.test(name))
      visible[name] = typeof value === 'string' ? value : value.join(', ');
  }
  return visible;
}

export function callFacts(
  principal: Principal,
  arrival: Arrival,
  path: string,
  quote: Quote,
  balances: readonly Balance[],
  now: EpochMs,
): CallFacts {
  const { human, agent, tenant } = principal;
  const max = nanoToNumber(quote.max);
  return {
    now,
    request: { headers: visibleHeaders(arrival.headers), path: path.split('?')[0] as string, ip: arrival.ip },
    agent: { id: agent.id, name: agent.id, tier: '', verified: agent.assurance === 'verified' },
    human: {
      id: human?.id ?? '',
      email: human?.id.includes('@') ? human.id : '',
      groups: [],
      verified: human?.assurance === 'verified',
    },
    tenant: { id: tenant.id },
    delegation: { depth: 0, chain: [], scopes: [] },
    budget: budgetFacts(balances, now),
    quote: { max_usd: max, expected_usd: max, priced: quote.priced, bounded: quote.bounded },
  };
}

export function snapshotOf(
  facts: CallFacts,
  action: Action,
  run: RunFacts,
  findings: readonly PlacedFinding[],
  reply: ReplyFacts = NO_REPLY,
): Snapshot {
  return { ...facts, action, run, findings, usage: reply.usage, cost_usd: reply.cost_usd };
}

export function selectionOf(facts: CallFacts, action: Pick<Action, 'point' | 'tool' | 'model'>): Selection {
  return {
    point: action.point,
    tool: action.tool?.name,
    server: action.tool?.server,
    model: action.model?.name,
    provider: action.model?.provider,
    agent: facts.agent.id,
    human: facts.human.id === '' ? undefined : facts.human.id,
    groups: facts.human.groups,
    tier: facts.agent.tier,
    tenant: facts.tenant.id,
    now: facts.now,
  };
}
