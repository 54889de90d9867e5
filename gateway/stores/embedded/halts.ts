import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { EpochMs } from '../../domain/scalars.ts';
import { durably, storeFault } from './database.ts';

export type HaltKind = 'run' | 'agent' | 'human';

export interface Halt {
  readonly kind: HaltKind;
  /** `<tenant>/<key>/<run>`, `<tenant>/<agent>` or `<tenant>/<human>` */
  readonly id: string;
  readonly at: EpochMs;
}

/** While nothing is halted the file is asked this often at most. */
const ASK_MS = 200;

const named = (kind: HaltKind, id: string): string => `${kind} ${id}`;

/** Who may make no more calls: in memory for the question, on the disk for the next start. */
export class Halts {
  readonly #db: DatabaseSync;
  readonly #now: () => EpochMs;
  readonly #halted = new Set<string>();
  readonly #version: StatementSync;
  #seen: unknown;
  #asked = 0;

  constructor(db: DatabaseSync, now: () => EpochMs) {
    this.#db = db;
    this.#now = now;
    this.#version = db.prepare('PRAGMA data_version');
    this.#seen = this.#version.get()?.['data_version'];
    this.#load();
  }

  /** Every halt in force, oldest first. */
  list(): readonly Halt[] {
    const rows = this.#db.prepare('SELECT kind, id, at FROM halts ORDER BY at').all();
    return rows.map(({ kind, id, at }) => ({ kind: kind as HaltKind, id: id as string, at: Number(at) as EpochMs }));
  }

  #load(): void {
    this.#halted.clear();
    for (const { kind, id } of this.list()) this.#halted.add(named(kind, id));
  }

  /** Holds from now on even where it cannot be stored; then it throws a Fault, for it would not survive a restart. */
  add(kind: HaltKind, id: string): void {
    if (this.has(kind, id)) return;
    this.#halted.add(named(kind, id));
    const at = Math.trunc(this.#now());
    this.#stored('INSERT INTO halts (kind, id, at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING', kind, id, at);
  }

  /** False where there was no such halt. Throws a Fault where that cannot be stored; then the halt stays. */
  lift(kind: HaltKind, id: string): boolean {
    this.#stored('DELETE FROM halts WHERE kind = ? AND id = ?', kind, id);
    return this.#halted.delete(named(kind, id));
  }

  has(kind: HaltKind, id: string): boolean {
    if (this.#halted.size === 0 && this.#now() - this.#asked < ASK_MS) return false;
    this.#refresh();
    return this.#halted.has(named(kind, id));
  }

  /** An operator halts or lifts from another process: SQLite tells that another connection has written. */
  #refresh(): void {
    this.#asked = this.#now();
    const version = this.#version.get()?.['data_version'];
    if (version === this.#seen) return;
    this.#seen = version;
    this.#load();
  }

  #stored(sql: string, ...values: readonly (string | number)[]): void {
    try {
      durably(this.#db, () => this.#db.prepare(sql).run(...values));
    } catch (error) {
      throw storeFault('embedded', error);
    }
  }
}
