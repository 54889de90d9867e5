import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { RATE_MS } from '../../domain/budget.ts';
import { Fault } from '../../domain/fault.ts';
import type { CallId, EpochMs } from '../../domain/scalars.ts';
import type { RateAccount, RateAnswer, Rates, RateWant } from '../../ports/rates.ts';
import type { GroupCommit, Writer } from './group-commit.ts';

/** A window is counted in so many slots: a slot leaves it whole, a sixtieth later than its first call might. */
const SLOTS = 60;
const TAKEN_KEPT = 100_000;
const SWEEP_EVERY = 4096;

/** What was taken from one account, by the time its slot began; oldest first. */
interface Log {
  readonly windowMs: number;
  readonly slots: Map<number, number>;
  sum: number;
}

interface Taken {
  readonly wants: readonly RateWant[];
  readonly slots: readonly number[];
}

const slotMs = (windowMs: number): number => windowMs / SLOTS;

/** Rates of one process, counted in memory and written with the group commit, so that a restart does not forget a day. */
export class EmbeddedRates implements Rates, Writer {
  readonly #commits: GroupCommit;
  readonly #read: StatementSync;
  readonly #save: StatementSync;
  readonly #drop: StatementSync;
  readonly #logs = new Map<string, Log>();
  readonly #taken = new Map<CallId, Taken>();
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

  async take(id: CallId, at: EpochMs, wants: readonly RateWant[]): Promise<RateAnswer> {
    if (this.#taken.has(id) || wants.length === 0) return { granted: true };
    this.#now = Math.max(this.#now, at);
    const logs = wants.map(({ account }) => this.#log(account));
    for (const [i, want] of wants.entries()) {
      const log = logs[i] as Log;
      if (log.sum + want.amount > want.account.limit) return this.#short(want, log);
    }
    const slots = logs.map((log) => Math.floor(this.#now / slotMs(log.windowMs)) * slotMs(log.windowMs));
    for (const [i, { account, amount }] of wants.entries())
      this.#count(account.id, logs[i] as Log, slots[i] as number, amount);
    this.#taken.set(id, { wants, slots });
    if (this.#taken.size > TAKEN_KEPT) this.#taken.delete(this.#taken.keys().next().value as CallId);
    this.#sweep();
    return { granted: true };
  }

  async settle(id: CallId, tokens: number): Promise<void> {
    this.#correct(id, ({ account, amount }) => (account.unit === 'tokens' ? tokens - amount : 0));
  }

  async release(id: CallId): Promise<void> {
    this.#correct(id, ({ amount }) => -amount);
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

  #correct(id: CallId, change: (want: RateWant) => number): void {
    const taken = this.#taken.get(id);
    if (!taken) return;
    this.#taken.delete(id);
    for (const [i, want] of taken.wants.entries()) {
      const log = this.#logs.get(want.account.id);
      const slot = taken.slots[i] as number;
      if (log?.slots.has(slot)) this.#count(want.account.id, log, slot, change(want));
    }
  }

  #count(id: string, log: Log, slot: number, change: number): void {
    if (change === 0) return;
    log.slots.set(slot, (log.slots.get(slot) ?? 0) + change);
    log.sum += change;
    const until = Math.ceil(slot + slotMs(log.windowMs) + log.windowMs);
    this.#changed.set(`${slot} ${id}`, { id, slot, until });
    this.#commits.soon();
  }

  /** The account's log without what has left its window. */
  #log({ id, window }: RateAccount): Log {
    const windowMs = RATE_MS[window];
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
    try {
      for (const row of this.#read.all(id)) {
        slots.set(Number(row['slot']), Number(row['amount']));
        sum += Number(row['amount']);
      }
    } catch (error) {
      throw new Fault('TG_LEDGER_UNAVAILABLE', 'the store of rates does not answer: try again', error);
    }
    return { windowMs, slots, sum };
  }

  #short({ account, amount }: RateWant, log: Log): RateAnswer {
    const left = Math.max(0, account.limit - log.sum);
    let missing = log.sum + amount - account.limit;
    let retryAfterMs: number | undefined;
    for (const [slot, count] of log.slots) {
      missing -= count;
      retryAfterMs = slot + slotMs(log.windowMs) + log.windowMs - this.#now;
      if (missing <= 0) break;
    }
    return { granted: false, short: account, left, retryAfterMs: amount > account.limit ? undefined : retryAfterMs };
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
