import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { Fault } from '../../domain/fault.ts';
import type { SealEntry } from '../../domain/receipt.ts';
import { type CallId, type EpochMs, epochMs, nano } from '../../domain/scalars.ts';
import type { CallQuery, RunSummary } from '../../ports/calls.ts';
import type { RunSpace } from '../../ports/runs.ts';
import { receiptOf } from './receipt-text.ts';
import type { RunPast } from './run-log.ts';

/** The key of a space where access is open, as the index stores it. */
const NO_KEY = '';
const OPEN = 'open';

/** Reads the index of sealed receipts; all it needs is the file, so a second process can. Throws a Fault (`TG_RECORD_UNAVAILABLE`). */
export class CallReader {
  readonly #one: StatementSync;
  readonly #newest: StatementSync;
  readonly #newestOfRun: StatementSync;
  readonly #ofRun: StatementSync;
  readonly #between: StatementSync;
  readonly #runs: StatementSync;
  readonly #run: StatementSync;
  readonly #past: StatementSync;
  readonly #last: StatementSync;

  constructor(db: DatabaseSync) {
    this.#one = db.prepare('SELECT json FROM calls WHERE id = ?');
    this.#newest = db.prepare('SELECT json FROM calls ORDER BY seq DESC LIMIT ?');
    this.#newestOfRun = db.prepare('SELECT json FROM calls WHERE run = ? ORDER BY seq DESC LIMIT ?');
    this.#ofRun = db.prepare(
      "SELECT json FROM calls WHERE run = ? AND tenant = ? AND coalesce(key, '') = ? ORDER BY seq",
    );
    this.#between = db.prepare('SELECT json FROM calls WHERE at >= ? AND at < ? ORDER BY seq');
    this.#runs = db.prepare('SELECT * FROM runs ORDER BY last_at DESC LIMIT ?');
    this.#run = db.prepare('SELECT * FROM runs WHERE id = ? ORDER BY last_at DESC LIMIT 1');
    this.#past = db.prepare('SELECT * FROM runs WHERE id = ? AND tenant = ? AND key = ?');
    this.#last = db.prepare('SELECT max(seq) AS seq FROM calls');
    for (const statement of [this.#runs, this.#run, this.#past]) statement.setReadBigInts(true);
  }

  find(id: CallId): SealEntry | undefined {
    return answered(() => receipts(this.#one.all(id))[0]);
  }

  list({ run, limit }: CallQuery): readonly SealEntry[] {
    return answered(() =>
      receipts(run === undefined ? this.#newest.all(rows(limit)) : this.#newestOfRun.all(run, rows(limit))),
    );
  }

  runs(limit: number): readonly RunSummary[] {
    return answered(() => this.#runs.all(rows(limit)).map(summaryOf));
  }

  run(id: string): { readonly summary: RunSummary; readonly receipts: readonly SealEntry[] } | undefined {
    return answered(() => {
      const row = this.#run.get(id);
      if (!row) return undefined;
      const summary = summaryOf(row);
      return { summary, receipts: receipts(this.#ofRun.all(id, summary.tenant, summary.key ?? NO_KEY)) };
    });
  }

  /** Receipts of calls that arrived in [from, to), in the order of the record, read as they are asked for. */
  *between(from: EpochMs, to: EpochMs): Generator<SealEntry> {
    const found = answered(() => this.#between.iterate(from, to));
    for (let row = answered(() => found.next()); !row.done; row = answered(() => found.next()))
      yield receiptOf(row.value['json'] as string);
  }

  indexedTo(): number {
    return answered(() => Number(this.#last.get()?.['seq'] ?? 0));
  }

  /** What the index knows of a run, for a process that has not met it. */
  past({ tenant, key }: RunSpace, run: string): RunPast | undefined {
    return answered(() => {
      const row = this.#past.get(run, tenant, key === OPEN ? NO_KEY : key);
      if (!row) return undefined;
      const { steps, cost, firstAt } = summaryOf(row);
      return { steps, spent: cost, firstAt, carried: Number(row['carried']) > 0 };
    });
  }
}

function answered<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw new Fault('TG_RECORD_UNAVAILABLE', 'the index of calls does not answer: try again', error);
  }
}

const rows = (limit: number): number => Math.max(0, Math.min(Math.trunc(limit) || 0, 1_000_000));

const receipts = (found: readonly Record<string, unknown>[]): SealEntry[] =>
  found.map((row) => receiptOf(row['json'] as string));

const summaryOf = (row: Record<string, unknown>): RunSummary => ({
  id: row['id'] as string,
  tenant: row['tenant'] as string,
  key: row['key'] === NO_KEY ? undefined : (row['key'] as string),
  human: (row['human'] as string | null) ?? undefined,
  agent: row['agent'] as string,
  calls: Number(row['calls']),
  steps: Number(row['steps']),
  cost: nano(row['cost'] as bigint),
  firstAt: epochMs(Number(row['first_at'])),
  lastAt: epochMs(Number(row['last_at'])),
});
