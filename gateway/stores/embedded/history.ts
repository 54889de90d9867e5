import type { DatabaseSync, StatementSync } from 'node:sqlite';

/** One account whose stored totals are not what its hold records add up to, in nano-dollars. */
export interface Discrepancy {
  readonly account: string;
  readonly spent: bigint;
  readonly held: bigint;
  readonly recordedSpent: bigint;
  readonly recordedHeld: bigint;
}

const BATCH = 500;
const EVERY_MS = 60_000;

const AUDIT = `
  WITH recorded AS (
    SELECT each.value AS account, sum(charged) AS spent, sum(CASE state WHEN 0 THEN amount ELSE 0 END) AS held
    FROM holds, json_each(holds.accounts) AS each GROUP BY each.value
  ), compared AS (
    SELECT coalesce(a.id, r.account) AS account, coalesce(a.spent, 0) AS spent, coalesce(a.held, 0) AS held,
      coalesce(a.archived, 0) + coalesce(r.spent, 0) AS recorded_spent, coalesce(r.held, 0) AS recorded_held
    FROM accounts AS a FULL JOIN recorded AS r ON r.account = a.id
  )
  SELECT * FROM compared WHERE spent <> recorded_spent OR held <> recorded_held ORDER BY account`;

/**
 * The ledger's past: keeps closed holds and ended windows for `keepMs`, then folds a hold's charge into its accounts and drops
 * it, so that totals stay the sum of the records. Works on SQLite alone: nothing may be pending in the book.
 */
export class History {
  readonly #db: DatabaseSync;
  readonly #keepMs: number;
  readonly #oldest: StatementSync;
  readonly #archive: StatementSync;
  readonly #drop: StatementSync;
  readonly #dropAccounts: StatementSync;
  readonly #mark: StatementSync;
  readonly #audit: StatementSync;
  #foldedTo: number;
  #nextAt = 0;

  constructor(db: DatabaseSync, keepMs: number) {
    this.#db = db;
    this.#keepMs = keepMs;
    // Call ids sort by time, so the oldest come first.
    this.#oldest = db.prepare('SELECT id, at, charged, state, accounts FROM holds ORDER BY id LIMIT ?');
    this.#oldest.setReadBigInts(true);
    this.#archive = db.prepare('UPDATE accounts SET archived = archived + ? WHERE id = ?');
    this.#drop = db.prepare('DELETE FROM holds WHERE id = ?');
    this.#dropAccounts = db.prepare(
      `DELETE FROM accounts WHERE id IN
         (SELECT id FROM accounts WHERE resets_at < ? AND held = 0 ORDER BY resets_at LIMIT ?)`,
    );
    this.#mark = db.prepare(
      "INSERT INTO marks VALUES ('folded_to', ?) ON CONFLICT DO UPDATE SET value = excluded.value",
    );
    this.#audit = db.prepare(AUDIT);
    this.#audit.setReadBigInts(true);
    this.#foldedTo = Number(db.prepare("SELECT value FROM marks WHERE name = 'folded_to'").get()?.['value'] ?? -1);
  }

  /** A call of that time may have been folded: not finding its record does not mean that it was never charged. */
  folded(at: number): boolean {
    return at <= this.#foldedTo;
  }

  due(now: number): boolean {
    return now >= this.#nextAt && Number.isFinite(now);
  }

  /** One bounded step. Returns how many ended windows were dropped. */
  fold(now: number): number {
    const before = Math.trunc(now - this.#keepMs);
    const rows = this.#oldest.all(BATCH);
    const old = rows.filter((row) => Number(row['at']) < before && Number(row['state']) !== 0);
    const foldedTo = old.reduce((latest, row) => Math.max(latest, Number(row['at'])), this.#foldedTo);
    this.#nextAt = old.length === BATCH ? now : now + EVERY_MS;
    const dropped = this.#inTransaction(() => {
      for (const row of old) this.#foldHold(row);
      if (foldedTo > this.#foldedTo) this.#mark.run(foldedTo);
      return old.length < BATCH ? Number(this.#dropAccounts.run(before, BATCH).changes) : 0;
    });
    this.#foldedTo = foldedTo;
    return dropped;
  }

  audit(): readonly Discrepancy[] {
    return this.#audit.all().map((row) => ({
      account: row['account'] as string,
      spent: row['spent'] as bigint,
      held: row['held'] as bigint,
      recordedSpent: row['recorded_spent'] as bigint,
      recordedHeld: row['recorded_held'] as bigint,
    }));
  }

  rebuild(): readonly Discrepancy[] {
    const save = this.#db.prepare(
      `INSERT INTO accounts (id, spent, held) VALUES (?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET spent = excluded.spent, held = excluded.held`,
    );
    return this.#inTransaction(() => {
      const wrong = this.audit();
      for (const { account, recordedSpent, recordedHeld } of wrong) save.run(account, recordedSpent, recordedHeld);
      return wrong;
    });
  }

  #foldHold(row: Record<string, unknown>): void {
    const charged = row['charged'] as bigint;
    for (const account of JSON.parse(row['accounts'] as string) as string[]) this.#archive.run(charged, account);
    this.#drop.run(row['id'] as string);
  }

  #inTransaction<T>(work: () => T): T {
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      const result = work();
      this.#db.exec('COMMIT');
      return result;
    } finally {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
    }
  }
}
