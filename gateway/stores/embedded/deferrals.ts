import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Principal } from '../../domain/principal.ts';
import { type CallId, epochMs, nano } from '../../domain/scalars.ts';
import type { Deferrals, DeferredCall } from '../../ports/deferrals.ts';
import { durably, storeFault } from './database.ts';

/** What is kept beside the columns that are searched. */
type Rest = Pick<DeferredCall, 'requests' | 'principal' | 'step' | 'upstream' | 'dialect' | 'model'> & {
  readonly hold: string;
};

/** Calls that wait for their usage, on the disk before anybody hears of them: they outlive any restart. */
export class EmbeddedDeferrals implements Deferrals {
  readonly #db: DatabaseSync;
  readonly #find: StatementSync;
  readonly #waiting: StatementSync;

  /** What could be asked about until `keepMs` before `now` is dropped. */
  constructor(db: DatabaseSync, now: number, keepMs: number) {
    this.#db = db;
    db.prepare('DELETE FROM deferrals WHERE settled = 1 AND until < ?').run(Math.trunc(now - keepMs));
    this.#find = db.prepare('SELECT * FROM deferrals WHERE object = ? ORDER BY at DESC LIMIT 1');
    this.#waiting = db.prepare('SELECT * FROM deferrals WHERE settled = 0 ORDER BY at, call');
  }

  open({ call, object, at, until, hold, settled: _, ...rest }: DeferredCall): void {
    const json = JSON.stringify({ ...rest, hold: hold.toString() } satisfies Rest);
    this.#stored(
      'INSERT INTO deferrals (call, object, at, until, settled, json) VALUES (?, ?, ?, ?, 0, ?) ON CONFLICT DO NOTHING',
      call,
      object,
      Math.trunc(at),
      Math.trunc(until),
      json,
    );
  }

  find(object: string): DeferredCall | undefined {
    return this.#read(() => this.#find.all(object).map(deferredOf))[0];
  }

  close(call: CallId): void {
    this.#stored('UPDATE deferrals SET settled = 1 WHERE call = ?', call);
  }

  waiting(): readonly DeferredCall[] {
    return this.#read(() => this.#waiting.all().map(deferredOf));
  }

  #read<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw storeFault('embedded', error);
    }
  }

  #stored(sql: string, ...values: readonly (string | number)[]): void {
    this.#read(() => durably(this.#db, () => this.#db.prepare(sql).run(...values)));
  }
}

function deferredOf(row: Record<string, unknown>): DeferredCall {
  const { hold, ...rest } = JSON.parse(row['json'] as string) as Rest & { readonly principal: Principal };
  return {
    ...rest,
    call: row['call'] as CallId,
    object: row['object'] as string,
    at: epochMs(Number(row['at'])),
    until: epochMs(Number(row['until'])),
    hold: nano(BigInt(hold)),
    settled: row['settled'] === 1,
  };
}
