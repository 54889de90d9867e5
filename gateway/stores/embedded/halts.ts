import type { DatabaseSync } from 'node:sqlite';
import type { EpochMs } from '../../domain/scalars.ts';
import { durably, storeFault } from './database.ts';

export type HaltKind = 'run' | 'agent' | 'human';

const named = (kind: HaltKind, id: string): string => `${kind} ${id}`;

/** Who may make no more calls: in memory for the question, on the disk for the next start. */
export class Halts {
  readonly #db: DatabaseSync;
  readonly #now: () => EpochMs;
  readonly #halted = new Set<string>();

  constructor(db: DatabaseSync, now: () => EpochMs) {
    this.#db = db;
    this.#now = now;
    for (const { kind, id } of db.prepare('SELECT kind, id FROM halts').all()) {
      this.#halted.add(named(kind as HaltKind, id as string));
    }
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
    return this.#halted.size > 0 && this.#halted.has(named(kind, id));
  }

  #stored(sql: string, ...values: readonly (string | number)[]): void {
    try {
      durably(this.#db, () => this.#db.prepare(sql).run(...values));
    } catch (error) {
      throw storeFault('embedded', error);
    }
  }
}
