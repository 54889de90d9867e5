import { type CallId, type EpochMs, epochMs, type Nano, nano } from '../../domain/scalars.ts';
import type { Account, Balance, Ledger, Reservation, ReserveAnswer, SettleAnswer } from '../../ports/ledger.ts';
import { checkAmount, wholeMs } from './amounts.ts';
import { answered, settled, spent } from './answers.ts';
import { isLease, type Lease } from './lease.ts';
import { LeaseBook, type Leaving } from './lease-book.ts';
import type { LeasedAccount, LeaseParts } from './leased-account.ts';
import { LeasedAccounts } from './leased-accounts.ts';
import { type LeasedCall, LeasedCalls } from './leased-calls.ts';
import type { RedisLedger } from './ledger.ts';
import type { LeftLeases } from './left-leases.ts';
import { Unreachable } from './link.ts';
import type { Recall } from './recall.ts';
import { tightestLimits } from './tenant-book.ts';
import type { Tenants } from './tenants.ts';
import { WayOut } from './way-out.ts';

const REMEMBERED = 10_000;
const LAST_SEALS_MS = 1_000;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export interface LeasedLedgerOptions extends LeaseParts {
  /** what processes before this one left behind */
  readonly left: LeftLeases;
  /** a record is kept, which tells when receipts are in it (`sealed`) */
  readonly isRecorded: boolean;
  /** a call was granted: out of leases, or by asking Redis */
  readonly onGrant?: ((from: 'lease' | 'store') => void) | undefined;
  /** how many leases Redis holds for this gateway, now and then */
  readonly onOpen?: ((leases: number) => void) | undefined;
}

/**
 * The shared ledger with leases (ADR 0037): money that Redis holds for this gateway, out of which calls are granted without asking. A call is
 * granted from leases on all its accounts or by the ledger beneath. A lease is an ordinary hold, so what others may spend is always less what
 * this gateway could, and whatever happens to it is at most charged what Redis holds.
 */
export class LeasedLedger implements Ledger {
  /** leases of processes that ended before they did */
  readonly leases: LeftLeases;
  readonly #inner: RedisLedger;
  readonly #tenants: Tenants;
  readonly #recall: Recall;
  readonly #options: LeasedLedgerOptions;
  readonly #calls: LeasedCalls;
  readonly #accounts: LeasedAccounts;
  readonly #wayOut: WayOut;
  /** calls that Redis was asked about, the latest: they are never granted from a lease */
  readonly #asked = new Set<CallId>();
  #looking: NodeJS.Timeout | undefined;
  #closed: Promise<void> | undefined;

  constructor(inner: RedisLedger, tenants: Tenants, recall: Recall, options: LeasedLedgerOptions) {
    this.#inner = inner;
    this.#tenants = tenants;
    this.#recall = recall;
    this.#options = options;
    this.leases = options.left;
    this.#calls = new LeasedCalls(options.isRecorded);
    this.#accounts = new LeasedAccounts(tenants, options);
    this.#wayOut = new WayOut(this.#calls, (call, as) => this.#left(call, as));
  }

  /** Begins to take leases, where there are to be any, and to hear who wants them back. */
  start(): void {
    const { ms } = this.#options.terms;
    if (ms === 0) return;
    this.#looking = setInterval(() => this.#look(), Math.max(20, ms / 8));
    this.#looking.unref();
    this.#recall.listen((accounts) => void this.giveBack(accounts));
  }

  /** settlements, releases and leases that wait for Redis */
  pending = (): number =>
    this.#inner.pending() + this.#accounts.owing + [...this.#calls.all()].filter(({ leaving }) => leaving).length;

  async reserve(request: Reservation): Promise<ReserveAnswer> {
    const { id, accounts, rates } = request;
    const call = this.#calls.get(id);
    if (call?.state === 'open') return this.#granted(call, accounts);
    if (call || this.#calls.over(id)) throw spent(id);
    // what a rate counts is counted in one place, so such a call asks all the same
    const leased = rates?.length || this.#asked.has(id) ? undefined : this.#fromLeases(request);
    if (leased) return this.#granted(leased, accounts);
    this.#remember(id);
    const answer = await this.#inner.reserve(request);
    if (!answer.granted || accounts.length === 0) return answer;
    this.#options.onGrant?.('store');
    return { ...answer, balances: this.#accounts.asked(accounts, answer.balances, request.amount) };
  }

  async extend(id: CallId, amount: Nano, accounts: readonly Account[]): Promise<boolean> {
    const call = this.#calls.get(id);
    if (call) {
      checkAmount('amount', amount);
      if (call.state !== 'open' || call.leaving) return false;
      if (this.#calls.raise(call, amount)) return true;
      await answered(() => this.#wayOut.take(call));
    } else if (this.#calls.over(id)) return false;
    if (await this.#inner.extend(id, amount, accounts)) return true;
    // others, or leases of our own, may have what is missing
    return (
      (await this.makeRoom(tightestLimits(accounts).map(({ id: name }) => name))) &&
      this.#inner.extend(id, amount, accounts)
    );
  }

  async settle(id: CallId, amount: Nano, accounts: readonly Account[], tokens?: number): Promise<SettleAnswer> {
    const over = this.#calls.over(id);
    if (over?.state === 'settled') return settled(over);
    const call = this.#calls.get(id);
    if (over || !call) {
      // what was given back and spent all the same is charged by itself, where it was held
      this.#calls.forget(id);
      this.#remember(id);
      const on = over?.accounts ?? accounts;
      const answer = await this.#inner.settle(id, amount, on, tokens);
      if (answer.overrun > 0n) await this.#passed(on);
      return answer;
    }
    checkAmount('amount', amount);
    if (call.state !== 'settled') this.#calls.settle(call, amount);
    if (call.places.some(([, { room }]) => room < 0n)) await this.#passed(call.accounts);
    await this.#tellEnd(call);
    return settled(call);
  }

  async release(id: CallId): Promise<void> {
    if (this.#calls.over(id)) return;
    const call = this.#calls.get(id);
    if (!call) return this.#inner.release(id);
    if (call.state === 'settled' || call.state === 'released') return;
    this.#calls.release(call);
    await this.#tellEnd(call);
  }

  async renew(id: CallId, lapsesAt: EpochMs): Promise<void> {
    const call = this.#calls.get(id);
    if (call) call.lapsesAt = epochMs(wholeMs('lapsesAt', lapsesAt));
    else if (!this.#calls.over(id)) await this.#inner.renew(id, lapsesAt);
  }

  /** The receipt of a call is in the record; its leases may end without it. */
  sealed(id: CallId): void {
    const call = this.#calls.get(id);
    if (call) this.#calls.sealed(call);
  }

  async lapse(now: EpochMs): Promise<readonly { readonly id: CallId; readonly amount: Nano }[]> {
    const mine = this.#calls.lapse(now).map(({ id, charged }) => ({ id, amount: nano(charged) }));
    const theirs = await this.#inner.lapse(now);
    const leases = new Set(theirs.map(({ id }) => id).filter(isLease));
    if (leases.size > 0) for (const account of this.#accounts.all()) account.lapsed(leases);
    return [...mine, ...theirs.filter(({ id }) => !leases.has(id))];
  }

  async balances(accounts: readonly Account[]): Promise<readonly Balance[]> {
    return this.#accounts.seen(await this.#inner.balances(accounts));
  }

  /** Calls that have a hold of their own: open or lapsed. */
  async openHolds(): Promise<readonly CallId[]> {
    return (await this.#inner.openHolds()).filter((id) => !isLease(id));
  }

  restore: RedisLedger['restore'] = (holds, settlements) => this.#inner.restore(holds, settlements);

  /** Redis answers again: what waits is delivered, and it is told anew what leases hold. Never throws. */
  async deliver(): Promise<void> {
    await this.#inner.deliver();
    for (const account of this.#accounts.all()) if (account.open > 0) account.doubt();
  }

  /** Gives back what leases of these accounts hold and calls do not need, and takes none for a while. Never throws. */
  async giveBack(ids: readonly string[]): Promise<void> {
    const accounts = this.#accounts.of(ids);
    const going: Promise<void>[] = [];
    for (const account of accounts) {
      account.end(true);
      for (const call of this.#calls.partsOf(account.ending))
        if (call.state !== 'open') going.push(this.#wayOut.take(call));
    }
    await Promise.allSettled(going);
    await Promise.all(accounts.map((account) => account.said()));
  }

  /** Asks leases on these accounts back, ours and others'. Returns whether there were any. Never throws. */
  async makeRoom(ids: readonly string[]): Promise<boolean> {
    const own = ids.some((id) => (this.#accounts.get(id)?.open ?? 0) > 0);
    const groups = this.#tenants.grouped(ids, (id) => id);
    const [, ...others] = await Promise.all([
      this.giveBack(ids),
      ...groups.map(([book, members]) => this.#recall.askFor(new LeaseBook(book), members)),
    ]);
    return own || others.some(Boolean);
  }

  /** Resolves when nothing is to be said to Redis any more, or it does not answer. */
  quiet(): Promise<void> {
    return this.#accounts.quiet();
  }

  /** Ends every lease; calls that are under way keep holds of their own. Never throws. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    clearInterval(this.#looking);
    this.#recall.close();
    const until = this.#options.clock.ticks() + LAST_SEALS_MS;
    while (this.#calls.unsealed > 0 && this.#options.clock.ticks() < until) await pause(5);
    for (const account of this.#accounts.all()) account.end(true);
    await Promise.allSettled([...this.#calls.all()].map((call) => this.#wayOut.take(call)));
    await this.#accounts.quiet();
    await this.#inner.close();
  }

  /** Grants the call out of leases on all its accounts; undefined where one has none with room. */
  #fromLeases({ id, accounts, amount, least, at, lapsesAt }: Reservation): LeasedCall | undefined {
    if (accounts.length === 0 || this.#closed) return undefined;
    const unique = tightestLimits(accounts);
    const places: (readonly [LeasedAccount, Lease])[] = [];
    for (const { id: name, limit } of unique) {
      const account = this.#accounts.get(name);
      const lease = account?.fitting(amount, limit);
      if (!account || !lease) return undefined;
      places.push([account, lease]);
    }
    if (places.some(([{ book }]) => book.tenant !== places[0]?.[0].book.tenant)) return undefined;
    checkAmount('amount', amount);
    checkAmount('least', least);
    wholeMs('at', at);
    const until = epochMs(wholeMs('lapsesAt', lapsesAt));
    const terms = { state: 'open', charged: 0n, weight: 0n, sealed: false, leaving: undefined } as const;
    const call: LeasedCall = { id, accounts: unique, places, held: amount, lapsesAt: until, ...terms };
    this.#calls.add(call);
    for (const [account, lease] of places) account.took(lease, amount);
    this.#options.onGrant?.('lease');
    return call;
  }

  /** What is said of a call that was granted out of leases: the accounts as they are without it. */
  #granted({ held, places }: LeasedCall, accounts: readonly Account[]): ReserveAnswer {
    const of = new Map(places.map((place) => [place[0].id, place]));
    const balances = accounts.map((account): Balance => {
      const balance = of.get(account.id)?.[0].balance(account);
      return { account, spent: balance?.spent ?? nano(0n), held: nano((balance?.held ?? held) - held) };
    });
    const leases = accounts.map(({ id }) => of.get(id)?.[1].id ?? '');
    return { granted: true, amount: nano(held), balances, leases };
  }

  /** A charge passed what was held for it, so a limit may be passed: what is leased and not used must not pass it further. */
  async #passed(accounts: readonly Account[]): Promise<void> {
    const ids = tightestLimits(accounts).map(({ id }) => id);
    void this.makeRoom(ids);
    await this.giveBack(ids);
  }

  /** The end of a call whose lease takes no more is told at once, like that of a call without one: somebody may wait for the rest. */
  async #tellEnd(call: LeasedCall): Promise<void> {
    if (call.places.every(([, { closedAt }]) => closedAt === undefined)) return;
    if (this.#calls.get(call.id) !== call) await Promise.all(call.places.map(([account]) => account.said()));
    else await this.#wayOut.take(call).catch(() => undefined);
  }

  /** The call has a hold of its own, as it was when it was asked for; what became of it since is the ledger's. */
  async #left(call: LeasedCall, as: Leaving): Promise<void> {
    const { id, accounts, places, state, charged } = call;
    this.#remember(id);
    if (as.state === 'open' || as.state === 'lapsed' || state !== as.state)
      this.#inner.adopt(id, as.held, [this.#tenants.book(places[0]?.[0].book.tenant ?? '')]);
    if (state === as.state && charged === as.charged) return;
    if (state === 'settled') await this.#inner.settle(id, nano(charged), accounts);
    else if (state === 'released') await this.#inner.release(id);
  }

  /** Now and then: what is over ends, what was not heard is said again, and calls that outlast their lease leave it. */
  #look(): void {
    const { terms, clock } = this.#options;
    const open = this.#accounts.look();
    this.#options.onOpen?.(open);
    const late = clock.ticks() - terms.ms;
    const leaving = [...this.#calls.all()].filter(
      (call) => call.leaving || call.places.some(([, { closedAt = late }]) => closedAt < late),
    );
    for (const call of leaving) {
      this.#wayOut.take(call).catch((error: unknown) => {
        if (!(error instanceof Unreachable)) this.#options.onError(error);
      });
    }
  }

  #remember(id: CallId): void {
    this.#asked.add(id);
    if (this.#asked.size > REMEMBERED) this.#asked.delete(this.#asked.values().next().value as CallId);
  }
}
