import { DatabaseSync } from 'node:sqlite';
import { Fault } from '../../domain/fault.ts';
import { MIGRATIONS } from './migrations.ts';

const BUSY_MS = 250;
const MEMORY = ':memory:';

/** An unavailable store, said with the file and what SQLite said. */
export function storeFault(path: string, error: unknown): Fault {
  if (error instanceof Fault) return error;
  const said = error instanceof Error ? error.message : String(error);
  return new Fault('TG_LEDGER_UNAVAILABLE', `the store \`${path}\` does not answer: ${said}`, error);
}

/**
 * Opens the one SQLite file for reading and writing and brings its schema up to date. WAL with `synchronous=NORMAL`: a commit
 * survives the process, a power cut may take the last ones, always the newest; the spool has them. Throws a Fault.
 */
export function openDatabase(path: string): DatabaseSync {
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(path, { timeout: BUSY_MS, enableForeignKeyConstraints: false });
    db.exec('PRAGMA journal_mode = WAL');
    db.exec(
      'PRAGMA synchronous = NORMAL; PRAGMA cache_size = -16000; PRAGMA journal_size_limit = 67108864; PRAGMA wal_autocheckpoint = 8000',
    );
    migrate(db, path);
    return db;
  } catch (error) {
    db?.close();
    throw storeFault(path, error);
  }
}

/** Opens the file beside a gateway that writes it. Throws a Fault where there is no store yet or it is of another version. */
export function openDatabaseReadOnly(path: string): DatabaseSync {
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(path, { readOnly: true, timeout: BUSY_MS });
    const version = versionOf(db);
    if (version !== MIGRATIONS.length) throw wrongVersion(path, version);
    return db;
  } catch (error) {
    db?.close();
    throw storeFault(path, error);
  }
}

/** Runs `work` in its own transaction and returns once that is on the disk itself, power cut or not. */
export function durably<T>(db: DatabaseSync, work: () => T): T {
  db.exec('PRAGMA synchronous = FULL; BEGIN IMMEDIATE');
  try {
    const result = work();
    db.exec('COMMIT');
    return result;
  } finally {
    if (db.isTransaction) db.exec('ROLLBACK');
    db.exec('PRAGMA synchronous = NORMAL');
  }
}

/**
 * Makes this process the only one that keeps a ledger in the file: totals are mirrored in memory, a second writer would not see
 * them. The lock is the kernel's, so it goes with the process. Throws a Fault where another process has it.
 */
export function ownDatabase(path: string): { release(): void } {
  if (path === MEMORY) return { release: () => undefined };
  let lock: DatabaseSync | undefined;
  try {
    lock = new DatabaseSync(`${path}-owner`, { timeout: 0 });
    lock.exec('PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE');
  } catch (error) {
    lock?.close();
    const message = `another gateway uses \`${path}\`: stop it, or give this one its own \`state\` folder`;
    throw isBusy(error) ? new Fault('TG_LEDGER_UNAVAILABLE', message, error) : storeFault(`${path}-owner`, error);
  }
  const held = lock;
  return { release: () => held.close() };
}

const isBusy = (error: unknown): boolean => (error as { errcode?: number }).errcode === 5;

function migrate(db: DatabaseSync, path: string): void {
  if (versionOf(db) === MIGRATIONS.length) return;
  db.exec('BEGIN IMMEDIATE');
  try {
    const from = versionOf(db);
    if (from > MIGRATIONS.length) throw wrongVersion(path, from);
    for (const step of MIGRATIONS.slice(from)) db.exec(step);
    db.exec(`PRAGMA user_version = ${MIGRATIONS.length}; COMMIT`);
  } finally {
    if (db.isTransaction) db.exec('ROLLBACK');
  }
}

const versionOf = (db: DatabaseSync): number => Number(db.prepare('PRAGMA user_version').get()?.['user_version'] ?? 0);

function wrongVersion(path: string, version: number): Fault {
  const what =
    version === 0
      ? `\`${path}\` holds no store yet: start the gateway once`
      : `\`${path}\` has schema ${version}, this Tollgate knows ${MIGRATIONS.length}: use the version that wrote it`;
  return new Fault('TG_LEDGER_UNAVAILABLE', what);
}
