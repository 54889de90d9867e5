import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { Fault } from '../../domain/fault.ts';
import { type EpochMs, epochMs } from '../../domain/scalars.ts';
import type { KeyRecord, Keys } from '../../ports/keys.ts';
import { durably } from './database.ts';

const COLUMNS = 'id, tenant, human, agent, created_at, revoked_at, expires_at, tags';

/**
 * Keys by their hash. Every look reads the file, so a key that another process made or revoked counts from the next call on. A new
 * key and a revocation are on the disk itself when they return.
 */
export class EmbeddedKeys implements Keys {
  readonly #db: DatabaseSync;
  readonly #find: StatementSync;

  constructor(db: DatabaseSync) {
    this.#db = db;
    this.#find = db.prepare(`SELECT ${COLUMNS} FROM keys WHERE hash = ?`);
  }

  async find(hash: string): Promise<KeyRecord | undefined> {
    return answered(() => {
      const row = this.#find.get(hash);
      return row && recordOf(row);
    });
  }

  /** The same key again changes nothing. Throws a Fault (`TG_INTERNAL`) where the id or the hash is another key's. */
  async add(hash: string, record: KeyRecord): Promise<void> {
    const { id, tenant, human, agent, createdAt, revokedAt, expiresAt } = record;
    const tags = record.tags ? JSON.stringify(record.tags) : null;
    const values = [id, hash, tenant, human ?? null, agent, createdAt, revokedAt ?? null, expiresAt ?? null, tags];
    const owner = answered(() =>
      durably(this.#db, () => {
        const sql = `INSERT INTO keys (id, hash, ${COLUMNS.slice(4)}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`;
        this.#db.prepare(sql).run(...values);
        return this.#db.prepare('SELECT id FROM keys WHERE hash = ?').get(hash)?.['id'];
      }),
    );
    if (owner !== id) throw new Fault('TG_INTERNAL', `the key \`${id}\` cannot be added: its id or its hash is taken`);
  }

  /** True where the key exists; the first revocation's time stays. */
  async revoke(id: string, at: EpochMs): Promise<boolean> {
    const sql = 'UPDATE keys SET revoked_at = coalesce(revoked_at, ?) WHERE id = ?';
    return answered(() => durably(this.#db, () => Number(this.#db.prepare(sql).run(at, id).changes) === 1));
  }

  async list(): Promise<readonly KeyRecord[]> {
    return answered(() => this.#db.prepare(`SELECT ${COLUMNS} FROM keys ORDER BY created_at, id`).all().map(recordOf));
  }
}

function answered<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw new Fault('TG_KEYS_UNAVAILABLE', 'the store of keys does not answer: try again', error);
  }
}

function recordOf(row: Record<string, unknown>): KeyRecord {
  const time = (name: string): EpochMs | undefined => (row[name] === null ? undefined : epochMs(row[name] as number));
  return {
    id: row['id'] as string,
    tenant: row['tenant'] as string,
    human: (row['human'] as string | null) ?? undefined,
    agent: row['agent'] as string,
    createdAt: epochMs(row['created_at'] as number),
    revokedAt: time('revoked_at'),
    expiresAt: time('expires_at'),
    ...(row['tags'] !== null && { tags: JSON.parse(row['tags'] as string) as string[] }),
  };
}
