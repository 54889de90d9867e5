import type { DatabaseSync, StatementSync } from 'node:sqlite';

/** Somebody whose changes wait in memory to be written. */
export interface Writer {
  pending(): boolean;
  /** Writes everything pending inside the open transaction. What it throws undoes the transaction; then it is all still pending. */
  write(): void;
  /** What was written last is committed. */
  committed(): void;
  /** The last attempt failed; the next one comes by itself. */
  failed(error: unknown): void;
}

const RETRY_MS = 100;

/** One transaction for everything that several writers changed within a few milliseconds; synchronous, so none is open between turns. */
export class GroupCommit {
  readonly #writers: Writer[] = [];
  readonly #everyMs: number;
  readonly #db: DatabaseSync;
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  readonly #rollback: StatementSync;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  #healthy = true;

  constructor(db: DatabaseSync, everyMs: number) {
    this.#db = db;
    this.#everyMs = everyMs;
    this.#begin = db.prepare('BEGIN IMMEDIATE');
    this.#commit = db.prepare('COMMIT');
    this.#rollback = db.prepare('ROLLBACK');
  }

  join(writer: Writer): void {
    this.#writers.push(writer);
  }

  /** A writer has something pending: it will be committed within `everyMs`. */
  soon(): void {
    if (this.#timer === undefined && !this.#closed) this.#schedule(this.#everyMs);
  }

  /**
   * Commits everything pending now. Where the joint transaction fails each writer gets its own, so that one writer's bad row
   * cannot stop another. Returns false where something is still pending.
   */
  now(): boolean {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const writers = this.#writers.filter((writer) => writer.pending());
    const failing = this.#failing(writers);
    this.#healthy = failing.length === 0;
    // A process that has nothing else to do need not wait for a disk that takes nothing.
    if (!this.#healthy && !this.#closed) this.#schedule(RETRY_MS).unref();
    return this.#healthy;
  }

  /** False from a failed commit until one went through. */
  healthy(): boolean {
    return this.#healthy;
  }

  /** Commits what is pending and stops. */
  close(): boolean {
    this.#closed = true;
    return this.now();
  }

  #failing(writers: readonly Writer[]): readonly Writer[] {
    if (writers.length === 0) return [];
    const error = this.#attempt(writers);
    if (error === undefined) return [];
    if (writers.length > 1) return writers.filter((writer) => this.#failing([writer]).length > 0);
    writers[0]?.failed(error);
    return writers;
  }

  #attempt(writers: readonly Writer[]): unknown {
    try {
      this.#begin.run();
      for (const writer of writers) writer.write();
      this.#commit.run();
    } catch (error) {
      this.#undo();
      return error ?? new Error('the commit failed');
    }
    for (const writer of writers) writer.committed();
    return undefined;
  }

  // A full disk or a failed write may have undone the transaction already; a closed database has none.
  #undo(): void {
    if (this.#db.isOpen && this.#db.isTransaction) this.#rollback.run();
  }

  #schedule(ms: number): NodeJS.Timeout {
    this.#timer = setTimeout(() => this.now(), ms);
    return this.#timer;
  }
}
