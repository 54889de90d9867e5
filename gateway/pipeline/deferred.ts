import { nanoToUsd } from '../domain/money.ts';
import type { Cost } from '../domain/pricing.ts';
import type { SealEntry } from '../domain/receipt.ts';
import { type CallId, type EpochMs, epochMs, type Nano, nano } from '../domain/scalars.ts';
import { summarize, type Usage } from '../domain/usage.ts';
import type { DeferredCall } from '../ports/deferrals.ts';
import type { Deferred } from '../ports/dialect.ts';
import { accountsOf } from './accounts.ts';
import type { ChargeTerms } from './charge.ts';
import type { Gateway } from './gateway.ts';
import type { Hold } from './hold.ts';
import { tokensOf } from './rates.ts';
import { tellThresholds } from './tell-thresholds.ts';
import type { Trail } from './trail.ts';

/** The ledger would charge the hold by itself, without a receipt: its lease ends this much after ours. */
const GRACE_MS = 600_000;

export const leaseOf = ({ until }: Pick<DeferredCall, 'until'>): EpochMs => epochMs(until + GRACE_MS);

/** The name under which something a provider began is found again. */
export const objectName = (upstream: string, object: string): string => `${upstream}/${object}`;

/** The call that a receipt leaves open; undefined where it leaves none. */
export function deferredOf(seal: SealEntry): DeferredCall | undefined {
  const { deferred, principal, id, at, step, upstream, dialect, model } = seal;
  if (!deferred || !principal) return undefined;
  const { object, until, hold, requests } = deferred;
  const terms = { object: objectName(upstream, object), until, hold: nano(BigInt(hold)), requests };
  return { call: id, at, principal, step, upstream, dialect, model, settled: false, ...terms };
}

/**
 * Leaves the hold of a finished call open until its usage comes. False where that cannot be kept: then the hold is the charge now.
 * Never throws.
 */
export async function defer(
  gate: Gateway,
  trail: Trail,
  hold: Hold,
  terms: ChargeTerms,
  { object, withinMs }: Deferred,
): Promise<boolean> {
  const until = epochMs(gate.clock.now() + withinMs);
  trail.deferred = { object, until, hold: hold.amount.toString(), requests: terms.requests };
  const later = deferredOf(trail.entry());
  try {
    if (!later) return false;
    // the caller may ask at once: what it asks about has to be known by then
    gate.deferrals.open(later);
  } catch (error) {
    trail.deferred = undefined;
    forget(gate, trail.id);
    gate.log.error(
      { call: trail.id, error: reason(error) },
      'a deferred call could not be kept; its hold is the charge',
    );
    trail.note('the call could not be kept open; the hold is the charge');
    return false;
  }
  trail.note(`its usage comes later; $${nanoToUsd(hold.amount)} is held until ${new Date(until).toISOString()}`);
  try {
    await gate.ledger.renew(trail.id, leaseOf(later));
  } catch (error) {
    gate.log.warn({ call: trail.id, error: reason(error) }, 'a deferred hold was not renewed; it may lapse early');
  }
  return true;
}

/** What may have been kept although keeping it failed would be charged twice. Where that fails too, the record tells on the next start. */
function forget(gate: Gateway, call: CallId): void {
  try {
    gate.deferrals.close(call);
  } catch (error) {
    gate.log.error(
      { call, error: reason(error) },
      'a deferred call could not be taken back; it is looked at on the next start',
    );
  }
}

/** The id of the receipt that charges a deferred call: the same whoever writes it, so that there can be only one. */
const settlementOf = (call: CallId): CallId => `${call}_settled` as CallId;

/** What a deferred call came to: `cost` undefined where only the hold is known. */
export interface Settled {
  readonly usage?: Usage | undefined;
  readonly cost?: Cost | undefined;
  readonly servedModel?: string | undefined;
  /** exact usage may be less than the hold, anything else may not */
  readonly exact: boolean;
  readonly ending: 'completed' | 'lapsed';
  readonly note: string;
}

/** Calls that are being charged now: two polls that see the end at once charge it once. */
const settling = new WeakMap<Gateway['deferrals'], Set<string>>();

/**
 * Charges a deferred call once, with a receipt of its own on behalf of whoever made the call. Returns what was charged; undefined
 * where it was charged before, or could not be charged now and stays open. Never throws.
 */
export async function settleDeferred(gate: Gateway, later: DeferredCall, settled: Settled): Promise<Nano | undefined> {
  const busy = settling.get(gate.deferrals) ?? new Set();
  settling.set(gate.deferrals, busy);
  if (busy.has(later.call)) return undefined;
  busy.add(later.call);
  let sealed = false;
  try {
    if (gate.deferrals.find(later.object)?.settled !== false) return undefined;
    if (gate.calls.find(settlementOf(later.call))) {
      // charged before, and only the mark is missing
      gate.deferrals.close(later.call);
      return undefined;
    }
    const total = settled.cost?.total ?? nano(0n);
    const wanted = settled.exact || total > later.hold ? total : later.hold;
    const accounts = accountsOf(gate.budgets, later.principal, later.at, { model: later.model });
    const balances = await gate.ledger.balances(accounts);
    const tokens = settled.exact ? tokensOf(settled.usage) : undefined;
    const { charged } = await gate.ledger.settle(later.call, wanted, accounts, tokens);
    tellThresholds(gate, { amount: later.hold, accounts, balances }, charged);
    const receipt = receiptOf(gate, later, settled, charged);
    await gate.spool.append(receipt);
    sealed = true;
    gate.deferrals.close(later.call);
    sealed = false;
    tell(gate, later, receipt, charged);
    return charged;
  } catch (error) {
    gate.log.error({ call: later.call, error: reason(error) }, 'a deferred call could not be settled; it stays open');
    return undefined;
  } finally {
    // sealed and not closed: a second receipt would charge it twice, so it stays busy until the record is read again
    if (!sealed) busy.delete(later.call);
  }
}

/** Charges every deferred call whose time is over at its hold. Never throws. */
export async function settleOverdue(gate: Gateway): Promise<void> {
  try {
    const now = gate.clock.now();
    for (const later of gate.deferrals.waiting().filter(({ until }) => until <= now)) {
      const note = 'its usage did not come in time; the hold is the charge';
      await settleDeferred(gate, later, { exact: false, ending: 'lapsed', note });
    }
  } catch (error) {
    gate.log.error({ error: reason(error) }, 'deferred calls could not be looked through; they are tried again');
  }
}

const reason = (error: unknown): string => (error instanceof Error ? error.message : 'unknown');

function receiptOf(gate: Gateway, later: DeferredCall, settled: Settled, charged: Nano): SealEntry {
  const { usage, cost } = settled;
  return {
    kind: 'seal',
    id: settlementOf(later.call),
    at: gate.clock.now(),
    settles: later.call,
    principal: later.principal,
    step: later.step,
    attempt: 1,
    upstream: later.upstream,
    dialect: later.dialect,
    model: later.model,
    served_model: settled.servedModel,
    stream: false,
    status: 0,
    ending: settled.ending,
    actions: [],
    usage: usage && { ...usage, reported: undefined },
    certainty: usage?.certainty ?? 'ceiling',
    cost_usd: nanoToUsd(charged),
    cost_status: cost?.status ?? 'estimated',
    cost_lines: cost?.lines.map(({ amount, ...line }) => ({ ...line, pico: amount.toString() })),
    provider_cost_usd: cost?.ours === undefined ? undefined : nanoToUsd(cost.total),
    latency_ms: Math.max(0, Math.round(gate.clock.now() - later.at)),
    policy: gate.judge.digest,
    prices: gate.cashier.digest,
    notes: [settled.note],
  };
}

/** Run and metrics learn of the charge; what they miss costs money nobody. */
function tell(gate: Gateway, later: DeferredCall, receipt: SealEntry, cost: Nano): void {
  const { principal, upstream, dialect, model } = later;
  const space = { tenant: principal.tenant.id, key: principal.key ?? 'open' };
  const conversation = { dialect, messages: [], issuedIds: [] };
  try {
    gate.runs.update(space, principal.run.id, { at: gate.clock.now(), cost, conversation, issuedIds: [] });
  } catch (error) {
    gate.log.error({ call: later.call, error: reason(error) }, 'a run did not take in a deferred charge');
  }
  gate.metrics.call({
    upstream,
    dialect,
    model,
    status: 0,
    ending: receipt.ending,
    seconds: receipt.latency_ms / 1000,
    cost,
    tokens: receipt.usage ? summarize(receipt.usage) : { input: 0, output: 0, cache_read: 0, cache_write: 0 },
    agent: principal.agent.id,
    tenant: principal.tenant.id,
  });
}
