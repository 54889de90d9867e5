import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { Fault } from '../../domain/fault.ts';
import { usdToNano } from '../../domain/money.ts';
import type { Principal } from '../../domain/principal.ts';
import type { SealEntry } from '../../domain/receipt.ts';
import { type CallId, epochMs, nano } from '../../domain/scalars.ts';
import type { CallQuery, Calls, RunSummary } from '../../ports/calls.ts';
import type { RunSpace } from '../../ports/runs.ts';
import { MOST } from './amounts.ts';
import { CallReader } from './call-reader.ts';
import type { GroupCommit, Writer } from './group-commit.ts';
import { receiptText } from './receipt-text.ts';
import type { RunPast } from './run-log.ts';

interface Row {
  readonly seq: number;
  readonly receipt: SealEntry;
  readonly at: number;
  readonly cost: bigint;
  readonly json: string;
}

/**
 * The index of sealed receipts. What is added waits in memory for the group commit and is written in the same transaction as the
 * ledger's changes before it, so `indexedTo` never runs ahead of the ledger.
 */
export class EmbeddedCalls implements Calls, Writer {
  readonly #reader: CallReader;
  readonly #commits: GroupCommit;
  readonly #insert: StatementSync;
  readonly #count: StatementSync;
  #waiting: Row[] = [];
  #indexedTo: number;
  #failure: unknown;
  #closed = false;

  constructor(db: DatabaseSync, commits: GroupCommit) {
    this.#reader = new CallReader(db);
    this.#commits = commits;
    this.#insert = db.prepare(
      `INSERT INTO calls (seq, id, at, run, tenant, key, agent, human, step, model, cost, json)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
    );
    this.#count = db.prepare(COUNT);
    this.#indexedTo = this.#reader.indexedTo();
  }

  /** Throws a RangeError where the receipt's cost is no decimal string or too large to count. */
  add(seq: number, receipt: SealEntry, json = receiptText(receipt)): void {
    if (this.#closed) throw new Fault('TG_RECORD_UNAVAILABLE', 'the index of calls is closed');
    const cost = usdToNano(receipt.cost_usd);
    if (cost > MOST) throw new RangeError(`\`${receipt.cost_usd}\` is more than the index can count`);
    this.#waiting.push({ seq, receipt, at: Math.trunc(receipt.at), cost, json });
    this.#commits.soon();
  }

  async flush(): Promise<void> {
    this.#commit();
    if (this.#failure === undefined) return;
    throw new Fault('TG_RECORD_UNAVAILABLE', 'the index of calls cannot be written: free the disk', this.#failure);
  }

  indexedTo(): number {
    return this.#indexedTo;
  }

  find(id: CallId): SealEntry | undefined {
    this.#commit();
    return this.#reader.find(id);
  }

  list(query: CallQuery): readonly SealEntry[] {
    this.#commit();
    return this.#reader.list(query);
  }

  runs(limit: number): readonly RunSummary[] {
    this.#commit();
    return this.#reader.runs(limit);
  }

  run(id: string): { readonly summary: RunSummary; readonly receipts: readonly SealEntry[] } | undefined {
    this.#commit();
    return this.#reader.run(id);
  }

  /** What is known of a run, the receipts still waiting included. */
  past(space: RunSpace, run: string): RunPast | undefined {
    let past = this.#reader.past(space, run);
    for (const row of this.#waiting) {
      const named = row.receipt.principal;
      if (named?.run.id !== run || named.tenant.id !== space.tenant || (named.key ?? 'open') !== space.key) continue;
      past = {
        steps: Math.max(past?.steps ?? 0, row.receipt.step),
        spent: nano((past?.spent ?? 0n) + row.cost),
        firstAt: epochMs(Math.min(past?.firstAt ?? row.at, row.at)),
        carried: (past?.carried ?? false) || wasCarried(row.receipt),
      };
    }
    return past;
  }

  pending(): boolean {
    return this.#waiting.length > 0;
  }

  write(): void {
    const runs = new Map<string, Counted>();
    for (const row of this.#waiting) if (this.#insertCall(row)) add(runs, row);
    for (const run of runs.values()) this.#countRun(run);
  }

  committed(): void {
    for (const { seq } of this.#waiting) this.#indexedTo = Math.max(this.#indexedTo, seq);
    this.#waiting = [];
    this.#failure = undefined;
  }

  failed(error: unknown): void {
    this.#failure = error;
  }

  close(): void {
    this.#closed = true;
  }

  #commit(): void {
    if (this.#closed) throw new Fault('TG_RECORD_UNAVAILABLE', 'the index of calls is closed');
    if (this.pending()) this.#commits.now();
  }

  #insertCall({ seq, receipt, at, cost, json }: Row): boolean {
    const { tenant, key, agent, human, run } = receipt.principal ?? {};
    const names = [run?.id ?? null, tenant?.id ?? null, key ?? null, agent?.id ?? null, human?.id ?? null];
    return this.#insert.run(seq, receipt.id, at, ...names, receipt.step, receipt.model, cost, json).changes !== 0;
  }

  #countRun({ principal, calls, carried, steps, cost, firstAt, lastAt }: Counted): void {
    const { run, tenant, key, agent, human } = principal;
    const names = [run.id, tenant.id, key ?? '', agent.id, human?.id ?? null];
    this.#count.run(...names, calls, carried, steps, cost, firstAt, lastAt);
  }
}

/** What the receipts of one commit add to a run. */
interface Counted {
  principal: Principal;
  calls: number;
  carried: number;
  steps: number;
  cost: bigint;
  firstAt: number;
  lastAt: number;
}

function add(runs: Map<string, Counted>, { receipt, at, cost }: Row): void {
  const { principal, step } = receipt;
  if (!principal) return;
  const name = `${principal.run.id}\n${principal.tenant.id}\n${principal.key ?? ''}`;
  const carried = wasCarried(receipt) ? 1 : 0;
  const known = runs.get(name);
  if (!known) {
    runs.set(name, { principal, calls: 1, carried, steps: step, cost, firstAt: at, lastAt: at });
    return;
  }
  const { human } = known.principal;
  known.principal = principal.human === undefined && human ? { ...principal, human } : principal;
  known.calls += 1;
  known.carried += carried;
  known.steps = Math.max(known.steps, step);
  known.cost = known.cost > MOST - cost ? MOST : known.cost + cost;
  known.firstAt = Math.min(known.firstAt, at);
  known.lastAt = Math.max(known.lastAt, at);
}

const wasCarried = ({ ending }: SealEntry): boolean =>
  ending !== 'denied' && ending !== 'refused' && ending !== 'upstream_error';

// A sum past 2⁶³ − 1 would become a float, which a STRICT table refuses: it stays at the most.
const COUNT = `
  INSERT INTO runs (id, tenant, key, agent, human, calls, carried, steps, cost, first_at, last_at)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
  ON CONFLICT (id, tenant, key) DO UPDATE SET
    agent = excluded.agent, human = coalesce(excluded.human, human),
    calls = calls + excluded.calls, carried = carried + excluded.carried, steps = max(steps, excluded.steps),
    cost = CASE WHEN cost > ${MOST} - excluded.cost THEN ${MOST} ELSE cost + excluded.cost END,
    first_at = min(first_at, excluded.first_at), last_at = max(last_at, excluded.last_at)`;
