import { Fault } from '../../domain/fault.ts';
import { type CallId, type EpochMs, type Nano, nano } from '../../domain/scalars.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Account, Balance, Ledger, Reservation, ReserveAnswer, SettleAnswer } from '../../ports/ledger.ts';
import { checkAmount, checkCount, checkTotal, wholeMs } from './amounts.ts';
import { type Book, HOLD, type Hold, lost, NO_RATES } from './book.ts';
import type { GroupCommit } from './group-commit.ts';
import type { Discrepancy, History } from './history.ts';
import type { RateBook } from './rates.ts';
import { balanceOf, distinct, fitting, roomIn, tightest } from './room.ts';

const REFUSALS_KEPT = 10_000;

/** A hold as the record tells it: the amount in nano-dollars and the accounts by id. */
export interface RecordedHold {
  readonly id: CallId;
  readonly at: EpochMs;
  readonly amount: Nano;
  readonly accounts: readonly string[];
}

/** What the record says a call was charged. `at` is when the call arrived. */
export interface RecordedSettlement {
  readonly id: CallId;
  readonly at: EpochMs;
  readonly amount: Nano;
}

type Lapsed = { readonly id: CallId; readonly amount: Nano };

/**
 * The embedded ledger. Every verb works on the book in memory and is whole before it returns; SQLite follows within the group
 * commit, and what a crash takes from it the spool gives back (`restore`). Where a write fails, `reserve` refuses until one goes
 * through, while money already held can still be settled, released and renewed.
 */
export class EmbeddedLedger implements Ledger {
  readonly #book: Book;
  readonly #rates: RateBook;
  readonly #commits: GroupCommit;
  readonly #history: History;
  readonly #clock: Clock;
  readonly #refused = new Map<string, ReserveAnswer>();
  // INVARIANT: no open hold lapses before this.
  #nextLapse = 0;
  #closed = false;

  constructor(book: Book, rates: RateBook, commits: GroupCommit, history: History, clock: Clock) {
    this.#book = book;
    this.#rates = rates;
    this.#commits = commits;
    this.#history = history;
    this.#clock = clock;
  }

  // A hold that lapsed weighs the same against a limit as one that is held, so no sweep is needed here.
  async reserve(request: Reservation): Promise<ReserveAnswer> {
    this.#mustBeOpen();
    const { id, accounts, rates = [] } = request;
    checkAmount('amount', request.amount);
    checkAmount('least', request.least);
    for (const { account, amount } of rates) checkCount(account.id, amount);
    const before = this.#refused.get(id);
    if (before) return before;
    const known = this.#read(() => this.#book.hold(id));
    if (known) return this.#again(known, accounts);
    if (this.#book.failure !== undefined) throw unavailable(this.#book.failure);
    const rate = this.#read(() => this.#rates.short(request.at, rates));
    if (rate) return this.#refuse(id, { granted: false, rate });
    const balances = this.#balances(accounts);
    const short = tightest(balances);
    const amount = short ? fitting(request.amount, request.least, roomIn(short)) : request.amount;
    if (amount === undefined) return this.#refuse(id, shortAnswer(short as Balance, balances));
    const at = wholeMs('at', request.at);
    const lapsesAt = wholeMs('lapsesAt', request.lapsesAt);
    for (const account of accounts) this.#book.totals(account.id).resetsAt ??= account.resetsAt;
    const hold: Hold = { ...lost(id, at, distinct(accounts)), amount, state: HOLD.open, lapsesAt };
    this.#hold(hold);
    if (rates.length > 0) hold.rates = this.#rates.take(rates);
    return { granted: true, amount: nano(amount), balances };
  }

  async extend(id: CallId, amount: Nano, accounts: readonly Account[]): Promise<boolean> {
    this.#mustBeOpen();
    checkAmount('amount', amount);
    const hold = this.#read(() => this.#book.hold(id));
    if (hold?.state !== HOLD.open) return false;
    const more = amount - hold.amount;
    if (more <= 0n) return true;
    if (this.#book.failure !== undefined) throw unavailable(this.#book.failure);
    const short = tightest(this.#balances(accounts));
    if (short && roomIn(short) < more) return false;
    const all = this.#read(() => hold.accounts.map((account) => this.#book.totals(account)));
    for (const totals of all) checkTotal(totals, more);
    for (const totals of all) {
      totals.held += more;
      this.#book.changedTotals(totals);
    }
    hold.amount = amount;
    this.#changed(hold);
    return true;
  }

  /** The first settlement is final: a second one gets its answer, whatever amount it names. */
  async settle(id: CallId, amount: Nano, accounts: readonly Account[], tokens?: number): Promise<SettleAnswer> {
    this.#mustBeOpen();
    checkAmount('amount', amount);
    checkCount('tokens', tokens ?? 0);
    const known = this.#read(() => this.#book.hold(id));
    if (known?.state === HOLD.settled) return settled(known);
    if (!known && this.#book.failure !== undefined) throw unavailable(this.#book.failure);
    const hold = known ?? lost(id, wholeMs('now', this.#clock.now()), distinct(accounts));
    if (!known)
      for (const account of accounts) this.#read(() => this.#book.totals(account.id)).resetsAt ??= account.resetsAt;
    this.#charge(hold, amount, HOLD.settled, tokens);
    return settled(hold);
  }

  /** A released hold is gone; one that lapsed meanwhile is given back, for only what was never carried is released. */
  async release(id: CallId): Promise<void> {
    this.#mustBeOpen();
    const hold = this.#read(() => this.#book.hold(id));
    if (!hold || hold.state === HOLD.settled || hold.state === HOLD.released) return;
    this.#charge(hold, 0n, HOLD.released);
    hold.amount = 0n;
  }

  /** Only an open hold has a lease. */
  async renew(id: CallId, lapsesAt: EpochMs): Promise<void> {
    this.#mustBeOpen();
    const until = wholeMs('lapsesAt', lapsesAt);
    const hold = this.#read(() => this.#book.hold(id));
    if (hold?.state !== HOLD.open) return;
    hold.lapsesAt = until;
    this.#nextLapse = Math.min(this.#nextLapse, until);
    this.#changed(hold);
  }

  async lapse(now: EpochMs): Promise<readonly Lapsed[]> {
    this.#mustBeOpen();
    if (this.#history.due(now) && this.#commits.now() && this.#read(() => this.#history.fold(now)) > 0) {
      this.#book.forgetTotals();
    }
    return this.#lapse(now);
  }

  async balances(accounts: readonly Account[]): Promise<readonly Balance[]> {
    this.#mustBeOpen();
    return this.#balances(accounts);
  }

  /**
   * For the start after a crash: makes sure that every hold and settlement of the record is in the ledger. Idempotent; what the
   * ledger knows already stays as it is, except that a settlement closes an open or lapsed hold. Committed when it returns.
   */
  restore(holds: Iterable<RecordedHold>, settlements: Iterable<RecordedSettlement>): void {
    this.#mustBeOpen();
    for (const { id, at, amount, accounts } of holds) {
      checkAmount('amount', amount);
      if (this.#history.folded(at) || this.#read(() => this.#book.hold(id))) continue;
      this.#hold({ ...lost(id, at, [...new Set(accounts)]), amount, state: HOLD.open });
    }
    for (const { id, at, amount } of settlements) {
      checkAmount('amount', amount);
      const hold = this.#read(() => this.#book.hold(id));
      if (hold?.state === HOLD.settled || (hold?.state === HOLD.released && amount === 0n)) continue;
      if (hold) this.#charge(hold, amount, HOLD.settled);
      else if (!this.#history.folded(at)) this.#charge(lost(id, at, []), amount, HOLD.settled);
    }
    this.#flushed();
  }

  /** The calls that hold money now. */
  openHolds(): readonly CallId[] {
    return Array.from(this.#book.openHolds(), ({ id }) => id as CallId);
  }

  /** Turns every open hold into a charge, whatever its lease: the process that held it is gone. Committed when it returns. */
  lapseAll(): readonly Lapsed[] {
    this.#mustBeOpen();
    const lapsed = this.#lapse(Number.POSITIVE_INFINITY);
    this.#flushed();
    return lapsed;
  }

  /** Where the stored totals differ from the hold records; empty when all is well. */
  audit(): readonly Discrepancy[] {
    this.#flushed();
    return this.#read(() => this.#history.audit());
  }

  /** Computes every total anew from the hold records. Returns what differed. */
  rebuild(): readonly Discrepancy[] {
    this.#flushed();
    const wrong = this.#read(() => this.#history.rebuild());
    this.#book.forgetTotals();
    return wrong;
  }

  close(): void {
    this.#closed = true;
  }

  #again(known: Hold, accounts: readonly Account[]): ReserveAnswer {
    if (known.state !== HOLD.open) {
      throw new Fault('TG_INTERNAL', `the hold of call \`${known.id}\` is closed: reserve again under a new call id`);
    }
    const balances = this.#balances(accounts).map((now) =>
      known.accounts.includes(now.account.id) ? { ...now, held: nano(now.held - known.amount) } : now,
    );
    return { granted: true, amount: nano(known.amount), balances };
  }

  #balances(accounts: readonly Account[]): readonly Balance[] {
    return this.#read(() => accounts.map((account) => balanceOf(account, this.#book.totals(account.id))));
  }

  #refuse(id: CallId, answer: ReserveAnswer): ReserveAnswer {
    this.#refused.set(id, answer);
    if (this.#refused.size > REFUSALS_KEPT) this.#refused.delete(this.#refused.keys().next().value as string);
    return answer;
  }

  #hold(hold: Hold): void {
    const all = this.#read(() => hold.accounts.map((id) => this.#book.totals(id)));
    for (const totals of all) checkTotal(totals, hold.amount);
    for (const totals of all) {
      totals.held += hold.amount;
      this.#book.changedTotals(totals);
    }
    this.#nextLapse = Math.min(this.#nextLapse, hold.lapsesAt);
    this.#changed(hold);
  }

  /** Closes a hold: what it held is given back, what it charged before is replaced by `amount`. */
  #charge(hold: Hold, amount: bigint, state: Exclude<Hold['state'], typeof HOLD.open>, tokens?: number): void {
    const held = hold.state === HOLD.open ? hold.amount : 0n;
    const all = this.#read(() => {
      this.#rates.load(hold.rates);
      return hold.accounts.map((id) => this.#book.totals(id));
    });
    for (const totals of all) checkTotal(totals, amount - hold.charged - held);
    for (const totals of all) {
      totals.held -= held;
      totals.spent += amount - hold.charged;
      this.#book.changedTotals(totals);
    }
    if (state === HOLD.released) this.#rates.release(hold.rates);
    else if (tokens !== undefined) this.#rates.settle(hold.rates, tokens);
    if (state !== HOLD.lapsed) hold.rates = NO_RATES;
    hold.charged = amount;
    hold.state = state;
    this.#changed(hold);
  }

  #lapse(now: number): readonly Lapsed[] {
    if (now < this.#nextLapse) return [];
    const due = [...this.#book.openHolds()].filter(({ lapsesAt }) => lapsesAt <= now);
    for (const hold of due) this.#charge(hold, hold.amount, HOLD.lapsed);
    this.#nextLapse = Number.POSITIVE_INFINITY;
    for (const { lapsesAt } of this.#book.openHolds()) this.#nextLapse = Math.min(this.#nextLapse, lapsesAt);
    return due.map(({ id, amount }) => ({ id: id as CallId, amount: nano(amount) }));
  }

  #changed(hold: Hold): void {
    this.#book.changedHold(hold);
    this.#commits.soon();
  }

  #flushed(): void {
    this.#mustBeOpen();
    if (!this.#commits.now() && this.#book.failure !== undefined) throw unavailable(this.#book.failure);
  }

  #read<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw unavailable(error);
    }
  }

  #mustBeOpen(): void {
    if (this.#closed) throw new Fault('TG_LEDGER_UNAVAILABLE', 'the ledger is closed');
    this.#book.trim();
  }
}

const unavailable = (error: unknown): Fault =>
  error instanceof Fault ? error : new Fault('TG_LEDGER_UNAVAILABLE', 'the ledger does not answer: try again', error);

function shortAnswer(short: Balance, balances: readonly Balance[]): ReserveAnswer {
  const room = roomIn(short);
  return { granted: false, short, left: nano(room > 0n ? room : 0n), balances };
}

const settled = (hold: Hold): SettleAnswer => ({
  charged: nano(hold.charged),
  overrun: nano(hold.charged > hold.amount ? hold.charged - hold.amount : 0n),
});
