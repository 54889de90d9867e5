import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { Fault } from '../../domain/fault.ts';
import { type EpochMs, epochMs } from '../../domain/scalars.ts';
import type { PinKey, PinStore, Shown, Trusted } from '../../ports/pin-store.ts';
import type { PinKind } from '../../ports/pins.ts';
import { durably } from './database.ts';

/** The pin store on the embedded file; what another process writes (`tollgate mcp pins`) counts from the next question on. */
export class EmbeddedPins implements PinStore {
  readonly #db: DatabaseSync;
  readonly #version: StatementSync;
  #seen: unknown;

  constructor(db: DatabaseSync) {
    this.#db = db;
    this.#version = db.prepare('PRAGMA data_version');
    this.#seen = this.#version.get()?.['data_version'];
  }

  changed(): boolean {
    return answered(() => {
      const version = this.#version.get()?.['data_version'];
      const changed = version !== this.#seen;
      this.#seen = version;
      return changed;
    });
  }

  shown(): readonly Shown[] {
    const sql = 'SELECT * FROM pins_shown ORDER BY server, kind, name';
    return answered(() => this.#db.prepare(sql).all().map(shownOf));
  }

  show(rows: readonly Shown[]): void {
    const sql = 'INSERT OR REPLACE INTO pins_shown VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)';
    answered(() =>
      durably(this.#db, () => {
        const insert = this.#db.prepare(sql);
        for (const { server, kind, name, hash, beside, text, at, state, why, suspicions } of rows)
          insert.run(server, kind, name, hash, beside, text, Math.trunc(at), state, why, JSON.stringify(suspicions));
      }),
    );
  }

  trusted(): readonly (Trusted & { readonly revoked: boolean })[] {
    const sql = 'SELECT * FROM pins_trusted ORDER BY server, kind, name, at, hash';
    return answered(() => this.#db.prepare(sql).all().map(trustedOf));
  }

  trust(rows: readonly Trusted[]): void {
    const sql = 'INSERT OR REPLACE INTO pins_trusted VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0)';
    answered(() =>
      durably(this.#db, () => {
        const insert = this.#db.prepare(sql);
        for (const { server, kind, name, hash, beside, text, at, by } of rows)
          insert.run(server, kind, name, hash, beside, text ?? null, Math.trunc(at), by);
      }),
    );
  }

  revoke({ server, kind, name }: PinKey, at: EpochMs): void {
    const mark = 'UPDATE pins_trusted SET revoked = 1 WHERE server = ? AND kind = ? AND name = ?';
    const keep = "INSERT OR REPLACE INTO pins_trusted VALUES (?, ?, ?, '', '', NULL, ?, 'revoked', 1)";
    answered(() =>
      durably(this.#db, () => {
        this.#db.prepare(mark).run(server, kind, name);
        this.#db.prepare(keep).run(server, kind, name, Math.trunc(at));
      }),
    );
  }
}

function answered<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw new Fault('TG_PINS_UNAVAILABLE', 'the store of approved definitions does not answer: try again', error);
  }
}

const keyOf = (row: Record<string, unknown>): PinKey => ({
  server: row['server'] as string,
  kind: row['kind'] as PinKind,
  name: row['name'] as string,
});

const shownOf = (row: Record<string, unknown>): Shown => ({
  ...keyOf(row),
  hash: row['hash'] as string,
  beside: row['beside'] as string,
  text: row['text'] as string,
  at: epochMs(row['at'] as number),
  state: row['state'] as Shown['state'],
  why: row['why'] as string,
  suspicions: JSON.parse(row['suspicions'] as string) as string[],
});

const trustedOf = (row: Record<string, unknown>): Trusted & { readonly revoked: boolean } => ({
  ...keyOf(row),
  hash: row['hash'] as string,
  beside: row['beside'] as string,
  text: (row['text'] as string | null) ?? undefined,
  at: epochMs(row['at'] as number),
  by: row['by'] as string,
  revoked: row['revoked'] === 1,
});
