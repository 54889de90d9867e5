import type { Clock } from '../../ports/clock.ts';
import type { Keys } from '../../ports/keys.ts';
import { Book } from './book.ts';
import { CallReader } from './call-reader.ts';
import { EmbeddedCalls } from './calls.ts';
import { openDatabase, openDatabaseReadOnly, ownDatabase, storeFault } from './database.ts';
import { EmbeddedDeferrals } from './deferrals.ts';
import { GroupCommit } from './group-commit.ts';
import { Halts } from './halts.ts';
import { History } from './history.ts';
import { EmbeddedKeys } from './keys.ts';
import { EmbeddedLedger } from './ledger.ts';
import { EmbeddedPins } from './pins.ts';
import { RateBook } from './rates.ts';
import { RunLabels } from './run-labels.ts';
import { EmbeddedRuns } from './runs.ts';

const DAY_MS = 86_400_000;

export interface EmbeddedOptions {
  readonly clock: Clock;
  /** how long changes may wait for the commit they share; default 100 */
  readonly commitMs?: number;
  /** how long closed holds and ended windows are kept; default 35 days */
  readonly keepMs?: number;
  /** accounts whose totals stay in memory while idle; default 20,000 */
  readonly cachedAccounts?: number;
  /** default 1,000 */
  readonly runsPerSpace?: number;
  /** default 10,000 */
  readonly runs?: number;
}

export interface EmbeddedStore {
  readonly ledger: EmbeddedLedger;
  readonly runs: EmbeddedRuns;
  readonly keys: Keys;
  readonly calls: EmbeddedCalls;
  readonly deferrals: EmbeddedDeferrals;
  readonly pins: EmbeddedPins;
  /** False while the last write to the file failed; it is tried again by itself. */
  healthy(): boolean;
  /** Commits what is pending. Throws a Fault where that fails; the file is closed all the same. */
  close(): void;
}

/**
 * Opens the embedded store in the SQLite file at `path` (`:memory:` for none), made where it is missing. One process at a time.
 * Throws a Fault (`TG_LEDGER_UNAVAILABLE`) that says what stands in the way.
 */
export function openEmbedded(path: string, options: EmbeddedOptions): EmbeddedStore {
  const owner = ownDatabase(path);
  try {
    return assemble(path, options, owner);
  } catch (error) {
    owner.release();
    throw error;
  }
}

function assemble(path: string, options: EmbeddedOptions, owner: { release(): void }): EmbeddedStore {
  const { clock, commitMs = 100, keepMs = 35 * DAY_MS, cachedAccounts = 20_000 } = options;
  const db = openDatabase(path);
  const commits = new GroupCommit(db, commitMs);
  const book = new Book(db, cachedAccounts);
  const rates = new RateBook(db, commits);
  const ledger = new EmbeddedLedger(book, rates, commits, new History(db, keepMs), clock);
  const calls = new EmbeddedCalls(db, commits);
  commits.join(book);
  commits.join(calls);
  commits.join(rates);
  const bounds = { perSpace: options.runsPerSpace ?? 1_000, total: options.runs ?? 10_000 };
  const labels = new RunLabels(db, clock.now(), keepMs);
  const halts = new Halts(db, () => clock.now());
  const runs = new EmbeddedRuns((space, run) => calls.past(space, run), halts, labels, bounds);
  const deferrals = new EmbeddedDeferrals(db, clock.now(), keepMs);
  let open = true;
  const close = (): void => {
    if (!open) return;
    open = false;
    const saved = commits.close();
    ledger.close();
    calls.close();
    db.close();
    owner.release();
    if (!saved) throw storeFault(path, book.failure ?? new Error('the index of calls was not saved'));
  };
  const keys = new EmbeddedKeys(db);
  const pins = new EmbeddedPins(db);
  return { ledger, runs, keys, calls, deferrals, pins, healthy: () => open && commits.healthy(), close };
}

/** Opens the index of calls beside a running gateway, or of one that has stopped. Throws a Fault where there is none. */
export function openReadOnly(path: string): { readonly calls: CallReader; close(): void } {
  const db = openDatabaseReadOnly(path);
  return { calls: new CallReader(db), close: () => db.close() };
}

/** Opens only the keys, for reading and writing, also beside a running gateway. */
export function openKeys(path: string): { readonly keys: Keys; close(): void } {
  const db = openDatabase(path);
  return { keys: new EmbeddedKeys(db), close: () => db.close() };
}

/** Opens only the halts, for reading and lifting, also beside a running gateway: it takes notice at once. */
export function openHalts(path: string, clock: Clock): { readonly halts: Halts; close(): void } {
  const db = openDatabase(path);
  return { halts: new Halts(db, () => clock.now()), close: () => db.close() };
}

/** Opens only the pins, for reading and writing, also beside a running gateway: it takes notice at the next question. */
export function openPins(path: string): { readonly pins: EmbeddedPins; close(): void } {
  const db = openDatabase(path);
  return { pins: new EmbeddedPins(db), close: () => db.close() };
}
