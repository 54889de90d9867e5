import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Writer } from './group-commit.ts';
import type { TakenRate } from './rates.ts';

/** What became of a hold; the numbers are stored. */
export const HOLD = { open: 0, settled: 1, released: 2, lapsed: 3 } as const;
export type HoldState = (typeof HOLD)[keyof typeof HOLD];

/** One call's record. `charged` is what it has added to `spent`; `amount` is 0 where nothing was ever held or it was given back. */
export interface Hold {
  readonly id: string;
  readonly at: number;
  readonly accounts: readonly string[];
  /** what the call took of rates and has not given back */
  rates: readonly TakenRate[];
  amount: bigint;
  charged: bigint;
  state: HoldState;
  lapsesAt: number;
}

/** Most holds took of no rate: they share one list. */
export const NO_RATES: readonly TakenRate[] = [];

/** The record of a call that nobody holds for. */
export const lost = (id: string, at: number, accounts: readonly string[]): Hold => ({
  id,
  at,
  accounts,
  rates: NO_RATES,
  amount: 0n,
  charged: 0n,
  state: HOLD.released,
  lapsesAt: at,
});

export interface Totals {
  readonly id: string;
  resetsAt: number | undefined;
  spent: bigint;
  held: bigint;
}

interface Statements {
  readonly account: StatementSync;
  readonly hold: StatementSync;
  readonly open: StatementSync;
  readonly newest: StatementSync;
  readonly saveAccount: StatementSync;
  readonly saveHold: StatementSync;
}

/**
 * The ledger's pages: every open hold, the totals in use and what is not yet written, in memory; SQLite behind. Reading falls
 * through to SQLite; changing marks a page, and marked pages are written together by the group commit.
 */
export class Book implements Writer {
  readonly #sql: Statements;
  readonly #cached: number;
  readonly #totals = new Map<string, Totals>();
  readonly #open = new Map<string, Hold>();
  readonly #changedTotals = new Set<Totals>();
  readonly #changedHolds = new Map<string, Hold>();
  /** the greatest id of any hold there ever was */
  #newest: string;
  /** why the last write failed; undefined after one that went through */
  failure: unknown;
  #trimAt: number;

  constructor(db: DatabaseSync, cached: number) {
    this.#cached = cached;
    this.#trimAt = cached;
    this.#sql = prepare(db);
    this.#newest = (this.#sql.newest.get()?.['id'] as string | null | undefined) ?? '';
    for (const row of this.#sql.open.all()) {
      const hold = holdOf(row);
      this.#open.set(hold.id, hold);
    }
  }

  hold(id: string): Hold | undefined {
    const known = this.#open.get(id) ?? this.#changedHolds.get(id);
    if (known) return known;
    // our ids sort by time: what is newer than all that was ever written is not on the disk
    if (id > this.#newest) return undefined;
    const row = this.#sql.hold.get(id);
    return row && holdOf(row);
  }

  openHolds(): IterableIterator<Hold> {
    return this.#open.values();
  }

  totals(id: string): Totals {
    const known = this.#totals.get(id);
    if (known) return known;
    const row = this.#sql.account.get(id);
    const totals = row ? totalsOf(row) : { id, resetsAt: undefined, spent: 0n, held: 0n };
    this.#totals.set(id, totals);
    return totals;
  }

  /** The hold's state or lease changed. */
  changedHold(hold: Hold): void {
    if (hold.state === HOLD.open) this.#open.set(hold.id, hold);
    else this.#open.delete(hold.id);
    this.#changedHolds.set(hold.id, hold);
    if (hold.id > this.#newest) this.#newest = hold.id;
  }

  changedTotals(totals: Totals): void {
    this.#changedTotals.add(totals);
  }

  pending(): boolean {
    return this.#changedHolds.size > 0 || this.#changedTotals.size > 0;
  }

  write(): void {
    const { saveAccount, saveHold } = this.#sql;
    for (const a of this.#changedTotals) saveAccount.run(a.id, a.spent, a.held, a.resetsAt ?? null);
    for (const h of this.#changedHolds.values()) {
      const rates = h.rates.length === 0 ? null : JSON.stringify(h.rates);
      saveHold.run(h.id, h.at, h.amount, h.charged, h.state, h.lapsesAt, JSON.stringify(h.accounts), rates);
    }
  }

  committed(): void {
    this.failure = undefined;
    this.#changedTotals.clear();
    this.#changedHolds.clear();
  }

  failed(error: unknown): void {
    this.failure = error;
  }

  /** Forgets every mirrored total; the next look reads SQLite. Only after a commit: nothing may be pending. */
  forgetTotals(): void {
    if (this.pending()) throw new Error('totals that are not yet written cannot be forgotten');
    this.#totals.clear();
  }

  /** Bounds the mirror. Only between verbs: a total that a verb has in hand must stay the one everybody sees. */
  trim(): void {
    if (this.#totals.size <= this.#trimAt) return;
    for (const [id, totals] of this.#totals) {
      if (this.#totals.size <= this.#cached / 2) break;
      if (totals.held === 0n && !this.#changedTotals.has(totals)) this.#totals.delete(id);
    }
    this.#trimAt = Math.max(this.#cached, this.#totals.size * 2);
  }
}

function prepare(db: DatabaseSync): Statements {
  const bigints = (sql: string): StatementSync => {
    const statement = db.prepare(sql);
    statement.setReadBigInts(true);
    return statement;
  };
  return {
    account: bigints('SELECT id, spent, held, resets_at FROM accounts WHERE id = ?'),
    hold: bigints('SELECT * FROM holds WHERE id = ?'),
    open: bigints('SELECT * FROM holds WHERE state = 0'),
    newest: db.prepare('SELECT max(id) AS id FROM holds'),
    saveAccount: db.prepare(
      `INSERT INTO accounts (id, spent, held, resets_at) VALUES (?, ?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET spent = excluded.spent, held = excluded.held,
         resets_at = coalesce(resets_at, excluded.resets_at)`,
    ),
    saveHold: db.prepare(
      `INSERT INTO holds (id, at, amount, charged, state, lapses_at, accounts, rates) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET amount = excluded.amount, charged = excluded.charged, state = excluded.state,
         lapses_at = excluded.lapses_at, rates = excluded.rates`,
    ),
  };
}

type Row = Record<string, unknown>;

const totalsOf = (row: Row): Totals => ({
  id: row['id'] as string,
  resetsAt: row['resets_at'] === null ? undefined : Number(row['resets_at']),
  spent: row['spent'] as bigint,
  held: row['held'] as bigint,
});

const holdOf = (row: Row): Hold => ({
  id: row['id'] as string,
  at: Number(row['at']),
  accounts: JSON.parse(row['accounts'] as string) as string[],
  rates: row['rates'] === null ? NO_RATES : (JSON.parse(row['rates'] as string) as TakenRate[]),
  amount: row['amount'] as bigint,
  charged: row['charged'] as bigint,
  state: Number(row['state']) as HoldState,
  lapsesAt: Number(row['lapses_at']),
});
