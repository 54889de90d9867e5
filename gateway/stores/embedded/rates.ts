import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { RATE_MS, type RateUnit } from '../../domain/budget.ts';
import type { EpochMs } from '../../domain/scalars.ts';
import type { RateAccount, RateShort, RateWant } from '../../ports/rates.ts';
import type { GroupCommit, Writer } from './group-commit.ts';

/** A window is counted in so many slots: a slot leaves it whole, a sixtieth later than its first call might. */
const SLOTS = 60;
const SWEEP_EVERY = 4096;

/** What a call took of one account; its hold keeps it until it is settled or released. */
export interface TakenRate {
  readonly account: string;
  readonly windowMs: number;
  readonly unit: RateUnit;
  /** when the slot began that it counts in */
  readonly slot: number;
  readonly amount: number;
}

/** What was taken from one account, by the time its slot began; oldest first. */
interface Log {
  readonly windowMs: number;
  readonly slots: Map<number, number>;
  sum: number;
}

const slotMs = (windowMs: number): number => windowMs / SLOTS;

/**
 * Rates of one process, counted in memory and written in the transaction that writes the holds, so that a restart does not forget a day.
 * Synchronous: the ledger looks, holds and takes in one turn of the loop.
 */
export class RateBook implements Writer {
  readonly #commits: GroupCommit;
  readonly #read: StatementSync;
  readonly #save: StatementSync;
  readonly #drop: StatementSync;
  readonly #logs = new Map<string, Log>();
  /** account and slot of every count that is not written yet */
  #changed = new Map<string, { readonly id: string; readonly slot: number; readonly until: number }>();
  #now = 0;
  #takes = 0;

  constructor(db: DatabaseSync, commits: GroupCommit) {
    this.#commits = commits;
    this.#read = db.prepare('SELECT slot, amount FROM rates WHERE account = ? ORDER BY slot');
    this.#save = db.prepare(
      `INSERT INTO rates (account, slot, amount, until) VALUES (?, ?, ?, ?)
       ON CONFLICT (account, slot) DO UPDATE SET amount = excluded.amount`,
    );
    this.#drop = db.prepare('DELETE FROM rates WHERE until < ?');
  }

  /** The first that has no room at `at`; undefined where all have, and then `take` takes. Throws what SQLite throws. */
  short(at: EpochMs, wants: readonly RateWant[]): RateShort | undefined {
    this.#now = Math.max(this.#now, at);
    for (const want of wants) {
      const log = this.#log(want.account.id, RATE_MS[want.account.window]);
      if (log.sum + want.amount > want.account.limit) return this.#wait(want, log);
    }
    return undefined;
  }

  /** Takes what `short` found room for, in the same turn of the loop. */
  take(wants: readonly RateWant[]): readonly TakenRate[] {
    if (wants.length > 0) this.#sweep();
    return wants.map(({ account, amount }) => {
      const windowMs = RATE_MS[account.window];
      const slot = Math.floor(this.#now / slotMs(windowMs)) * slotMs(windowMs);
      const taken: TakenRate = { account: account.id, windowMs, unit: account.unit, slot, amount };
      // also of nothing: what the call then came to is counted there
      this.#count(taken, amount);
      return taken;
    });
  }

  /** Looks up what correcting `taken` needs, so that it cannot fail. Throws what SQLite throws. */
  load(taken: readonly TakenRate[]): void {
    for (const { account, windowMs } of taken) this.#log(account, windowMs);
  }

  /** `tokens` take the place of what a call took of token rates; a slot that has left its window is not made anew. */
  settle(taken: readonly TakenRate[], tokens: number): void {
    for (const one of taken) if (one.unit === 'tokens') this.#correct(one, tokens - one.amount);
  }

  /** What a call took is given back. */
  release(taken: readonly TakenRate[]): void {
    for (const one of taken) this.#correct(one, -one.amount);
  }

  pending(): boolean {
    return this.#changed.size > 0;
  }

  write(): void {
    for (const { id, slot, until } of this.#changed.values())
      this.#save.run(id, slot, this.#logs.get(id)?.slots.get(slot) ?? 0, until);
    this.#drop.run(this.#now);
  }

  committed(): void {
    this.#changed = new Map();
  }

  // What could not be written stays pending; the counts in memory hold meanwhile.
  failed(): void {}

  #correct(taken: TakenRate, change: number): void {
    const log = this.#log(taken.account, taken.windowMs);
    if (change !== 0 && log.slots.has(taken.slot)) this.#count(taken, change);
  }

  #count({ account, windowMs, slot }: TakenRate, change: number): void {
    const log = this.#log(account, windowMs);
    log.slots.set(slot, (log.slots.get(slot) ?? 0) + change);
    log.sum += change;
    const until = Math.ceil(slot + slotMs(windowMs) + windowMs);
    this.#changed.set(`${slot} ${account}`, { id: account, slot, until });
    this.#commits.soon();
  }

  /** The account's log without what has left its window. */
  #log(id: RateAccount['id'], windowMs: number): Log {
    const log = this.#logs.get(id) ?? this.#stored(id, windowMs);
    this.#logs.set(id, log);
    const from = this.#now - windowMs - slotMs(windowMs);
    for (const [slot, amount] of log.slots) {
      if (slot > from) break;
      log.slots.delete(slot);
      log.sum -= amount;
    }
    return log;
  }

  #stored(id: string, windowMs: number): Log {
    const slots = new Map<number, number>();
    let sum = 0;
    for (const row of this.#read.all(id)) {
      slots.set(Number(row['slot']), Number(row['amount']));
      sum += Number(row['amount']);
    }
    return { windowMs, slots, sum };
  }

  #wait({ account, amount }: RateWant, log: Log): RateShort {
    const left = Math.max(0, account.limit - log.sum);
    let missing = log.sum + amount - account.limit;
    let retryAfterMs: number | undefined;
    for (const [slot, count] of log.slots) {
      missing -= count;
      retryAfterMs = slot + slotMs(log.windowMs) + log.windowMs - this.#now;
      if (missing <= 0) break;
    }
    return { account, left, retryAfterMs: amount > account.limit ? undefined : retryAfterMs };
  }

  /** Accounts that nobody asked for during a whole window are forgotten; what the disk has of them is empty or read again. */
  #sweep(): void {
    this.#takes += 1;
    if (this.#takes % SWEEP_EVERY !== 0) return;
    for (const [id, log] of this.#logs) {
      const newest = [...log.slots.keys()].at(-1) ?? 0;
      if (newest + slotMs(log.windowMs) + log.windowMs < this.#now) this.#logs.delete(id);
    }
  }
}
