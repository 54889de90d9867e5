import { Fault } from '../../domain/fault.ts';
import { type CallId, type EpochMs, type Nano, nano } from '../../domain/scalars.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Account, Balance, Ledger, Reservation, ReserveAnswer, SettleAnswer } from '../../ports/ledger.ts';
import type { Allowance } from './allowance.ts';
import { checkAmount, checkCount, wholeMs } from './amounts.ts';
import { answered, roomIn, settled, spent, tightest, unavailable } from './answers.ts';
import { Unreachable } from './link.ts';
import { Outbox } from './outbox.ts';
import { holdAgain, raiseAll, release, reserveAll, settleAll, sharesOf } from './several-tenants.ts';
import type { Held, Lapsed, TenantBook } from './tenant-book.ts';
import type { Tenants } from './tenants.ts';
import { Unbudgeted } from './unbudgeted.ts';

const REMEMBERED = 10_000;
const SWEEP = 200;
const RESTORED_LEASE_MS = 600_000;

/** A call that Redis may know of because of this process. */
interface Under {
  readonly books: readonly TenantBook[];
  readonly amount: bigint;
  /** its reserve was answered */
  readonly sure: boolean;
}

export interface LedgerEvents {
  /** a settlement or release that can never be delivered */
  readonly onLost: (id: CallId, error: unknown) => void;
  /** a call passed on the local allowance */
  readonly onAllowance: (amount: Nano) => void;
  /** a call is short of what gateways lease on these accounts: resolves when they gave back what they could */
  readonly makeRoom: (accounts: readonly string[]) => Promise<unknown>;
}

/**
 * The shared ledger: one script and one round trip per verb, money only in Redis. A reserve that is not answered in time throws; a
 * settlement or release that is not answered is kept and delivered when Redis is back, and until then the hold stays held, so nothing
 * is overspent and nothing stays held for good. Calls without budget and rate ask nothing of Redis and are known to this process only.
 */
export class RedisLedger implements Ledger {
  readonly #tenants: Tenants;
  readonly #clock: Clock;
  readonly #keepMs: number;
  readonly #allowance: Allowance;
  readonly #events: LedgerEvents;
  readonly #outbox: Outbox;
  readonly #unbudgeted = new Unbudgeted();
  readonly #under = new Map<CallId, Under>();
  readonly #refused = new Map<CallId, ReserveAnswer | 'never sent'>();
  /** swept in passing by a reserve, for the next `lapse` to tell */
  #swept: Lapsed[] = [];
  #closed = false;

  constructor(tenants: Tenants, clock: Clock, keepMs: number, allowance: Allowance, events: LedgerEvents) {
    this.#tenants = tenants;
    this.#clock = clock;
    this.#keepMs = keepMs;
    this.#allowance = allowance;
    this.#events = events;
    this.#outbox = new Outbox(events.onLost);
  }

  /** settlements and releases that wait for Redis */
  pending = (): number => this.#outbox.size;

  async reserve(request: Reservation): Promise<ReserveAnswer> {
    this.#mustBeOpen();
    const { id } = request;
    checkAmount('amount', request.amount);
    checkAmount('least', request.least);
    for (const { account, amount } of request.rates ?? []) checkCount(account.id, amount);
    wholeMs('at', request.at);
    const before = this.#refused.get(id);
    if (before !== undefined && before !== 'never sent') return before;
    if (this.#outbox.get(id)) throw spent(id);
    const shares = sharesOf(this.#tenants, request);
    const known = this.#under.get(id);
    if (this.#unbudgeted.has(id) || (shares.length === 0 && !known)) return this.#unshared(request, shares.length > 0);
    const books = known?.books ?? shares.map(({ book }) => book);
    if (!known) this.#under.set(id, { books, amount: request.amount, sure: false });
    try {
      for (const book of books) await this.#tenants.enter(book);
      const [held, swept] = await reserveAll(shares, request, this.#events.makeRoom);
      this.#swept = [...this.#swept, ...swept].slice(-REMEMBERED);
      return this.#answer(request, held, books);
    } catch (error) {
      if (error instanceof Unreachable) return this.#onMyOwn(request, error, known !== undefined);
      if (!known && error instanceof Fault && error.code === 'TG_LEDGER_UNAVAILABLE') this.#under.delete(id);
      throw error;
    }
  }

  async extend(id: CallId, amount: Nano, accounts: readonly Account[]): Promise<boolean> {
    this.#mustBeOpen();
    checkAmount('amount', amount);
    const own = this.#unbudgeted.open(id);
    if (own) own.held = own.held > amount ? own.held : amount;
    if (this.#unbudgeted.has(id)) return own !== undefined;
    if (this.#outbox.get(id) || this.#allowance.has(id)) return false;
    const groups = this.#tenants.grouped(accounts, (account) => account.id);
    const unlimited = this.#under.get(id)?.books.map((book) => [book, []] as const);
    const raised = await answered(() => raiseAll(accounts.length === 0 && unlimited ? unlimited : groups, id, amount));
    const under = this.#under.get(id);
    if (raised && under && under.amount < amount) this.#under.set(id, { ...under, amount });
    return raised;
  }

  /** The first settlement is final: a second one gets its answer, whatever amount it names. */
  async settle(id: CallId, amount: Nano, accounts: readonly Account[], tokens?: number): Promise<SettleAnswer> {
    this.#mustBeOpen();
    checkAmount('amount', amount);
    checkCount('tokens', tokens ?? 0);
    if (this.#unbudgeted.has(id)) return settled(this.#unbudgeted.settle(id, amount));
    const under = this.#under.get(id);
    const kept = this.#outbox.get(id);
    if (kept?.amount !== undefined) return settled({ charged: kept.amount, held: under?.amount ?? 0n });
    const groups = this.#tenants.grouped(accounts, (account) => account.id);
    const books = under?.books ?? groups.map(([book]) => book);
    const deliver = async (): Promise<SettleAnswer> => {
      const closed = await settleAll(books.length > 0 ? books : await this.#tenants.all(), groups, id, amount, tokens);
      this.#over(id, closed?.charged ?? amount);
      return settled(closed ?? this.#unbudgeted.settle(id, amount));
    };
    try {
      return await deliver();
    } catch (error) {
      if (!(error instanceof Unreachable)) throw error;
      if (!under) throw unavailable(error);
      this.#outbox.put(id, { amount, deliver: async () => void (await deliver()) });
      this.#allowance.charge(id, amount);
      return settled({ charged: amount, held: under.amount });
    }
  }

  /** A released hold is gone; one that lapsed meanwhile is given back, for only what was never carried is released. */
  async release(id: CallId): Promise<void> {
    this.#mustBeOpen();
    if (this.#unbudgeted.has(id)) return this.#unbudgeted.release(id);
    if (this.#outbox.get(id) || this.#refused.get(id) === 'never sent') return;
    const under = this.#under.get(id);
    const deliver = async (): Promise<void> => {
      await release(under?.books ?? (await this.#tenants.all()), id, under !== undefined && !under.sure);
      this.#over(id, 0n);
    };
    try {
      await deliver();
    } catch (error) {
      if (!(error instanceof Unreachable)) throw error;
      if (!under) throw unavailable(error);
      this.#outbox.put(id, { amount: undefined, deliver });
      this.#allowance.charge(id, 0n);
    }
  }

  /** Only an open hold has a lease. */
  async renew(id: CallId, lapsesAt: EpochMs): Promise<void> {
    this.#mustBeOpen();
    const until = wholeMs('lapsesAt', lapsesAt);
    const own = this.#unbudgeted.open(id);
    if (own) own.lapsesAt = until;
    if (this.#unbudgeted.has(id)) return;
    await answered(async () => {
      const books = this.#under.get(id)?.books ?? (await this.#tenants.all());
      for (const book of books) await book.renew(id, until);
    });
  }

  async lapse(now: EpochMs): Promise<readonly Lapsed[]> {
    this.#mustBeOpen();
    const found = new Map<CallId, Lapsed>();
    for (const { id, amount } of this.#unbudgeted.lapse(now)) found.set(id, { id, amount: nano(amount) });
    const add = (lapsed: readonly Lapsed[]): void => {
      for (const one of lapsed) if (one.amount >= (found.get(one.id)?.amount ?? -1n)) found.set(one.id, one);
    };
    await answered(async () => {
      for (const book of await this.#tenants.all()) {
        for (let some = SWEEP; some === SWEEP; ) {
          const lapsed = await book.lapse(now, SWEEP);
          add(lapsed);
          some = lapsed.length;
        }
      }
    });
    add(this.#swept);
    this.#swept = [];
    return [...found.values()];
  }

  async balances(accounts: readonly Account[]): Promise<readonly Balance[]> {
    this.#mustBeOpen();
    return answered(async () => {
      const found = new Map<Account, Balance>();
      for (const [book, group] of this.#tenants.grouped(accounts, (account) => account.id)) {
        for (const balance of await book.balances(group)) found.set(balance.account, balance);
      }
      return accounts.map((account) => found.get(account) as Balance);
    });
  }

  /** Calls that this gateway, now or before its last end, neither settled nor released: their holds are open or have lapsed. */
  async openHolds(): Promise<readonly CallId[]> {
    return answered(async () => {
      const found = new Set<CallId>();
      for (const book of await this.#tenants.all()) for (const id of await book.openHolds()) found.add(id);
      return [...found];
    });
  }

  /**
   * For the start after a crash, of this gateway or of Redis: makes sure that every hold and settlement of this gateway's record is in
   * the ledger. Idempotent. What is older than records are kept may have been folded and is left alone.
   */
  async restore(
    holds: Iterable<{ id: CallId; at: EpochMs; amount: Nano; accounts: readonly string[] }>,
    settlements: Iterable<{ id: CallId; at: EpochMs; amount: Nano }>,
  ): Promise<void> {
    this.#mustBeOpen();
    const since = this.#clock.now() - this.#keepMs;
    const lapsesAt = this.#clock.now() + RESTORED_LEASE_MS;
    await answered(async () => {
      for (const { id, at, amount, accounts } of holds) {
        const books = at <= since ? [] : await holdAgain(this.#tenants, { id, amount, accounts, lapsesAt });
        if (books.length > 0) this.adopt(id, amount, books);
      }
    });
    for (const { id, amount } of settlements) {
      if (amount > 0n || this.#under.has(id)) await this.settle(id, amount, []);
    }
  }

  /** The hold of a call stands in these books. */
  adopt(id: CallId, amount: bigint, books: readonly TenantBook[]): void {
    this.#under.set(id, { books, amount, sure: true });
  }

  /** Never throws. */
  async deliver(): Promise<void> {
    await this.#outbox.drain();
    if (this.#outbox.size === 0) this.#allowance.refill();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    await this.deliver();
    this.#closed = true;
    this.#outbox.close();
  }

  #answer(request: Reservation, held: Held, books: readonly TenantBook[]): ReserveAnswer {
    const { id } = request;
    if (held.is === 'granted') {
      this.adopt(id, held.amount, books);
      return { granted: true, amount: nano(held.amount), balances: held.balances };
    }
    // a hold whose grant was never heard may have lapsed meanwhile: it can still be given back
    if (held.is === 'closed') throw spent(id);
    this.#under.delete(id);
    if (held.is === 'rate') return this.#remember(id, { granted: false, rate: held.rate });
    const short = tightest(held.balances);
    const room = roomIn(short);
    const left = nano(room > 0n ? room : 0n);
    return this.#remember(id, { granted: false, short, left, balances: held.balances });
  }

  #unshared({ id, amount, lapsesAt }: Reservation, nowShared: boolean): ReserveAnswer {
    if (nowShared) throw spent(id);
    const held = this.#unbudgeted.reserve(id, amount, wholeMs('lapsesAt', lapsesAt));
    if (held === undefined) throw spent(id);
    return { granted: true, amount: nano(held), balances: [] };
  }

  /** Redis did not answer: granted on the allowance, where there is one. */
  #onMyOwn({ id, amount }: Reservation, error: Unreachable, again: boolean): ReserveAnswer {
    if (!again && this.#allowance.take(id, amount)) {
      this.#events.onAllowance(amount);
      return { granted: true, amount, balances: [] };
    }
    if (!again && !error.sent) {
      this.#under.delete(id);
      this.#remember(id, 'never sent');
    }
    throw unavailable(error);
  }

  #over(id: CallId, charged: bigint): void {
    this.#under.delete(id);
    this.#allowance.charge(id, charged);
  }

  #remember<T extends ReserveAnswer | 'never sent'>(id: CallId, answer: T): T {
    this.#refused.set(id, answer);
    if (this.#refused.size > REMEMBERED) this.#refused.delete(this.#refused.keys().next().value as CallId);
    return answer;
  }

  #mustBeOpen(): void {
    if (this.#closed) throw new Fault('TG_LEDGER_UNAVAILABLE', 'the ledger is closed');
  }
}
