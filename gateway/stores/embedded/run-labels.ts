import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { EpochMs } from '../../domain/scalars.ts';
import type { RunSpace } from '../../ports/runs.ts';
import { storeFault } from './database.ts';

/** What rules marked runs with, on the disk: a taint does not vanish with a restart, nor when its run is forgotten. */
export class RunLabels {
  readonly #of: StatementSync;
  readonly #add: StatementSync;

  /** Labels of runs not labelled for `keepMs` before `now` are dropped. */
  constructor(db: DatabaseSync, now: EpochMs, keepMs: number) {
    db.prepare('DELETE FROM run_labels WHERE at < ?').run(Math.trunc(now - keepMs));
    this.#of = db.prepare('SELECT label FROM run_labels WHERE tenant = ? AND key = ? AND run = ? ORDER BY at, label');
    this.#add = db.prepare(
      'INSERT INTO run_labels (tenant, key, run, label, at) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING',
    );
  }

  /** In the order they were given. Throws a Fault where the store does not answer: a run must not seem clean. */
  of({ tenant, key }: RunSpace, run: string): readonly string[] {
    try {
      return this.#of.all(tenant, key, run).map((row) => row['label'] as string);
    } catch (error) {
      throw storeFault('embedded', error);
    }
  }

  add({ tenant, key }: RunSpace, run: string, labels: readonly string[], at: EpochMs): void {
    try {
      for (const label of labels) this.#add.run(tenant, key, run, label, Math.trunc(at));
    } catch (error) {
      throw storeFault('embedded', error);
    }
  }
}
