import { nanoToUsd, usdToNano } from '../domain/money.ts';
import type { BeginEntry, SealEntry } from '../domain/receipt.ts';
import { type CallId, type Digest, type EpochMs, type Nano, nano } from '../domain/scalars.ts';
import type { Calls } from '../ports/calls.ts';
import type { Deferrals, DeferredCall } from '../ports/deferrals.ts';
import type { Spool } from '../ports/spool.ts';
import { deferredOf, leaseOf } from './deferred.ts';
import { type LeftLeases, settleLeft } from './left-leases.ts';

interface RecordedHold {
  readonly id: CallId;
  readonly at: EpochMs;
  readonly amount: Nano;
  readonly accounts: readonly string[];
}

interface RecordedSettlement {
  readonly id: CallId;
  readonly at: EpochMs;
  readonly amount: Nano;
}

/** What a start after a crash needs of the rooms. */
export interface RecoveryParts {
  readonly spool: Spool;
  /** calls that began and were never sealed, however long ago */
  readonly open: readonly BeginEntry[];
  readonly calls: Calls;
  readonly deferrals: Deferrals;
  readonly ledger: {
    restore(holds: Iterable<RecordedHold>, settlements: Iterable<RecordedSettlement>): void | Promise<void>;
    /** of this gateway only, where several share a ledger */
    openHolds(): readonly CallId[] | Promise<readonly CallId[]>;
    release(id: CallId): Promise<void>;
    renew(id: CallId, lapsesAt: EpochMs): Promise<void>;
    settle(id: CallId, amount: Nano, accounts: readonly []): Promise<{ readonly charged: Nano }>;
    /** where calls can be parts of leases */
    readonly leases?: LeftLeases;
  };
  readonly policy: Digest;
  readonly prices: Digest;
}

export interface Recovered {
  /** calls in flight when the former process died: sealed now, their holds charged */
  readonly lapsed: number;
  /** receipts that the index had missed */
  readonly indexed: number;
  /** holds of calls that were never carried: given back */
  readonly released: number;
}

const BATCH = 1000;

/**
 * Makes ledger and index agree with the record after the former process ended, however it ended. The record is the truth: what it
 * says was carried is held or charged, what it does not know was never carried. Idempotent: dying in here changes nothing.
 */
export async function recover(parts: RecoveryParts): Promise<Recovered> {
  const { spool, open, calls, deferrals, ledger } = parts;
  const named = new Set<string>();
  /** a call that is part of leases has no hold of its own */
  const held = (entry: BeginEntry): readonly RecordedHold[] => {
    if (!entry.hold.leases || !ledger.leases) return [holdOf(entry)];
    for (const lease of entry.hold.leases) named.add(lease);
    return [];
  };
  let holds: RecordedHold[] = open.flatMap(held);
  let settlements: RecordedSettlement[] = [];
  let indexed = 0;
  const handOver = async (): Promise<void> => {
    await ledger.restore(holds, settlements);
    holds = [];
    settlements = [];
  };
  const kept = new Set(deferrals.waiting().map(({ call }) => call));
  for await (const { seq, entry } of spool.read(calls.indexedTo() + 1)) {
    if (entry.kind === 'begin') holds.push(...held(entry));
    else if (entry.kind === 'seal') {
      const later = deferredOf(entry);
      if (later) deferrals.open(later);
      else settlements.push({ id: entry.settles ?? entry.id, at: entry.at, amount: usdToNano(entry.cost_usd) });
      // kept, although its receipt says that keeping it failed
      if (!later && kept.has(entry.id)) deferrals.close(entry.id);
      if (entry.settles) deferrals.close(entry.settles);
      calls.add(seq, entry);
      indexed += 1;
    }
    if (holds.length + settlements.length >= BATCH) await handOver();
  }
  await handOver();
  const waiting = new Map(deferrals.waiting().map((one) => [one.call, one]));
  if (ledger.leases) await settleLeft(ledger.leases, spool, named, waiting);
  for (const later of waiting.values()) await ledger.renew(later.call, leaseOf(later));
  const begun = new Set(open.map(({ id }) => id));
  const strays = (await ledger.openHolds()).filter((id) => !begun.has(id) && !waiting.has(id));
  let released = 0;
  for (const id of strays) {
    // sealed, and the settlement did not reach a shared ledger before the end: the receipt says what it is charged
    const sealed = calls.find(id);
    if (sealed) await ledger.settle(id, usdToNano(sealed.cost_usd), []);
    else {
      await ledger.release(id);
      released += 1;
    }
  }
  for (const entry of open) {
    const later = waiting.get(entry.id);
    if (later) {
      const line = await spool.append(deferredSeal(entry, later, parts));
      if (line.entry.kind === 'seal') calls.add(line.seq, line.entry);
      continue;
    }
    // the first settlement is final: one that the ledger kept and the record lost is what the receipt says
    const { charged } = await ledger.settle(entry.id, holdOf(entry).amount, []);
    const line = await spool.append(lapsedSeal(entry, charged, parts));
    if (line.entry.kind === 'seal') calls.add(line.seq, line.entry);
  }
  await calls.flush();
  return { lapsed: open.filter(({ id }) => !waiting.has(id)).length, indexed, released };
}

const holdOf = ({ id, at, hold }: BeginEntry): RecordedHold => ({
  id,
  at,
  amount: nano(BigInt(hold.amount)),
  accounts: hold.accounts,
});

/** The receipt of a call whose answer, a promise of usage, had arrived when its gate died. */
function deferredSeal(entry: BeginEntry, later: DeferredCall, parts: RecoveryParts): SealEntry {
  const { object, until, hold, requests } = later;
  return {
    ...lapsedSeal(entry, nano(0n), parts),
    status: 200,
    ending: 'completed',
    deferred: { object: object.slice(entry.upstream.length + 1), until, hold: hold.toString(), requests },
    notes: ['the gate stopped before this receipt was sealed; its usage comes later'],
  };
}

/** The receipt of a call whose gate died while it was carried: what it may have cost at most is its charge, unless it was settled. */
function lapsedSeal(entry: BeginEntry, charged: Nano, { policy, prices }: RecoveryParts): SealEntry {
  return {
    kind: 'seal',
    id: entry.id,
    at: entry.at,
    principal: entry.principal,
    step: entry.step,
    attempt: 1,
    upstream: entry.upstream,
    dialect: entry.dialect,
    model: entry.model,
    stream: false,
    status: 0,
    ending: 'lapsed',
    actions: [],
    certainty: 'ceiling',
    cost_usd: nanoToUsd(charged),
    cost_status: 'estimated',
    latency_ms: 0,
    policy,
    prices,
    notes: ['the gate stopped while this call was carried; its hold lapsed as a charge'],
  };
}
