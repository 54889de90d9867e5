import { usdToNano } from '../domain/money.ts';
import type { BeginEntry } from '../domain/receipt.ts';
import { type CallId, type EpochMs, type Nano, nano } from '../domain/scalars.ts';
import type { DeferredCall } from '../ports/deferrals.ts';
import type { Spool } from '../ports/spool.ts';
import { leaseOf } from './deferred.ts';

/** Leases that a process before this one took and did not end. Every verb is idempotent. */
export interface LeftLeases {
  /** those of this gateway that hold money or became charges */
  open(): Promise<readonly string[]>;
  /** the line of the record behind which calls may name the lease */
  lineOf(lease: string): number;
  /** Charges the lease with Σ `calls`, those aside that have a hold of their own; `account` undefined: no call named it. */
  settle(lease: {
    readonly id: string;
    readonly account: string | undefined;
    readonly at: EpochMs;
    readonly calls: ReadonlyMap<CallId, Nano>;
  }): Promise<void>;
  /** Gives a call that goes on a hold of its own in place of its parts of leases. */
  takeOut(call: {
    readonly id: CallId;
    readonly amount: Nano;
    readonly accounts: readonly string[];
    readonly leases: readonly string[];
    readonly lapsesAt: EpochMs;
  }): Promise<void>;
}

/**
 * Settles the leases that a former process left, each with what the record says its calls came to: the receipt where there is one, else the
 * hold, which the call is charged as lapsed. Reads the record from where the oldest of them was taken. `named`: leases that calls name of
 * which the index did not hear, whether or not the ledger remembers them.
 */
export async function settleLeft(
  leases: LeftLeases,
  spool: Pick<Spool, 'read'>,
  named: Iterable<string>,
  waiting: ReadonlyMap<CallId, DeferredCall>,
): Promise<void> {
  const left = new Set([...named, ...(await leases.open())]);
  if (left.size === 0) return;
  const { begun, came } = await callsOf(leases, spool, left);
  const calls = new Map<string, Map<CallId, Nano>>();
  const where = new Map<string, { readonly account: string; readonly at: EpochMs }>();
  for (const entry of begun) {
    const { id, at, hold } = entry;
    const amount = nano(BigInt(hold.amount));
    const later = waiting.get(id);
    if (later) {
      const { accounts, leases: of = [] } = hold;
      await leases.takeOut({ id, amount, accounts, leases: of, lapsesAt: leaseOf(later) });
      continue;
    }
    for (const [i, lease] of (hold.leases ?? []).entries()) {
      where.set(lease, { account: hold.accounts[i] ?? '', at });
      const sum = calls.get(lease) ?? new Map<CallId, Nano>();
      calls.set(lease, sum.set(id, came.get(id) ?? amount));
    }
  }
  for (const id of left) {
    const { account, at = 0 as EpochMs } = where.get(id) ?? { account: undefined };
    await leases.settle({ id, account, at, calls: calls.get(id) ?? new Map() });
  }
}

/** The calls that name one of these leases, and what those with a receipt came to. */
async function callsOf(
  leases: LeftLeases,
  spool: Pick<Spool, 'read'>,
  left: ReadonlySet<string>,
): Promise<{ readonly begun: readonly BeginEntry[]; readonly came: ReadonlyMap<CallId, Nano> }> {
  const begun = new Map<CallId, BeginEntry>();
  const came = new Map<CallId, Nano>();
  const from = Math.min(...[...left].map((id) => leases.lineOf(id)));
  for await (const { entry } of spool.read(from + 1)) {
    if (entry.kind === 'begin' && entry.hold.leases?.some((lease) => left.has(lease))) begun.set(entry.id, entry);
    if (entry.kind !== 'seal' || entry.deferred) continue;
    const call = entry.settles ?? entry.id;
    if (begun.has(call)) came.set(call, usdToNano(entry.cost_usd));
  }
  return { begun: [...begun.values()], came };
}
