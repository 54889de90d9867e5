import { randomBytes } from 'node:crypto';
import { type Nano, nano } from '../../domain/scalars.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Account, Balance } from '../../ports/ledger.ts';
import { Lease, leaseId } from './lease.ts';
import type { LeaseBook } from './lease-book.ts';
import { Unreachable } from './link.ts';
import { inTurn, Turn } from './turn.ts';

/** How leases are taken. */
export interface LeaseTerms {
  /** how long a lease takes calls, in ms; 0: none is taken */
  readonly ms: number;
  /** how many calls of the size last asked for a first lease has room for */
  readonly calls: number;
  /** how many calls must have asked for an account within `ms` before it is leased */
  readonly after: number;
  /** a lease takes at most one part in so many of what is left */
  readonly share: number;
  /** for how long an account is not leased where there was no room, or somebody wanted the lease back, in ms */
  readonly restMs: number;
}

/** What is spent and held in an account, in nano-dollars. */
type Totals = { readonly spent: bigint; readonly held: bigint };

export interface LeaseParts {
  readonly clock: Clock;
  readonly terms: LeaseTerms;
  /** the last durable line of the record */
  readonly line: () => number;
  /** something that is not an outage keeps Redis from being told */
  readonly onError: (error: unknown) => void;
}

/** A hold outlasts its lease by this much: for calls that end late, and for an outage. */
const GRACE_MS = 60_000;

/**
 * The leases of one account: one that takes calls, and those that wait for the last of theirs. What is said of them to Redis is said one
 * after another, each time as things stand when it is said, so that a question whose answer was lost is simply asked again.
 */
export class LeasedAccount {
  readonly book: LeaseBook;
  /** what is said of the account, one after another */
  readonly turn = new Turn();
  readonly #parts: LeaseParts;
  #account: Account;
  #live: Lease | undefined;
  readonly #ending = new Set<Lease>();
  /** what is spent and held besides the leases, as last heard */
  #others = { spent: 0n, held: 0n };
  /** how much room a lease is to have, and what one call last asked for */
  #want = 0n;
  #size = 0n;
  #asked = 0;
  #askedAt = Number.NEGATIVE_INFINITY;
  #filledAt = Number.NEGATIVE_INFINITY;
  /** it was used up since it was filled, or is being filled */
  #grows = false;
  #restsUntil = Number.NEGATIVE_INFINITY;
  /** Redis may name this gateway among those that lease the account */
  #named = false;
  #waits = false;

  constructor(account: Account, book: LeaseBook, parts: LeaseParts) {
    this.#account = account;
    this.book = book;
    this.#parts = parts;
  }

  get id(): string {
    return this.#account.id;
  }

  /** the leases that take no more calls */
  get ending(): readonly Lease[] {
    return [...this.#ending];
  }

  /** how many leases Redis holds */
  get open(): number {
    return this.#ending.size + (this.#live ? 1 : 0);
  }

  /** True where Redis still has to be told something. */
  get owes(): boolean {
    return this.ending.some((lease) => lease.isEmpty || unfit(lease)) || (this.#named && !this.#live);
  }

  /** True where nothing of it is leased. */
  get isIdle(): boolean {
    return this.open === 0 && !this.#named && !this.#waits;
  }

  /** True where nobody asked for it for long. */
  get isForgettable(): boolean {
    return this.isIdle && this.#askedAt + 2 * this.#parts.terms.ms < this.#now();
  }

  /** The lease with room for `amount` of a call under this limit. */
  fitting(amount: bigint, limit: Nano): Lease | undefined {
    const lease = this.#live;
    if (!lease || limit < this.#account.limit || lease.room < amount) return undefined;
    return lease.bornAt + this.#parts.terms.ms > this.#now() ? lease : undefined;
  }

  /** A call took `amount` of the lease. Where little is left it is filled again, beside the calls. */
  took(lease: Lease, amount: bigint): void {
    lease.usedAt = this.#now();
    if (amount > 0n) this.#size = amount;
    if (2n * lease.room >= this.#want) return;
    // used up within a quarter of its time: the next filling is twice as large
    if (!this.#grows && this.#now() - this.#filledAt < this.#parts.terms.ms / 4) this.#want *= 2n;
    this.#grows = true;
    this.poke();
  }

  /** Redis said what is spent and held in the account, and where `asked` on the way of a call: a lease might have saved the question. */
  heard(account: Account, { spent, held }: Totals, asked: bigint | undefined): void {
    const own = this.#all();
    const sum = (of: readonly Lease[]): bigint => of.reduce((all, lease) => all + lease.amount, 0n);
    this.#others = {
      spent: spent - sum(own.filter(({ lapsed }) => lapsed)),
      held: held - sum(own.filter(({ lapsed }) => !lapsed)),
    };
    this.#account = account;
    if (asked === undefined) return;
    this.#asked = this.#askedAt + this.#parts.terms.ms > this.#now() ? this.#asked + 1 : 1;
    this.#askedAt = this.#now();
    if (asked > 0n) this.#size = asked;
    if (this.#mayTake()) this.poke();
  }

  /** What is in the account: what was last heard of it, and what this gateway's leases came to since. */
  balance(account: Account): Balance {
    let { spent, held } = this.#others;
    for (const lease of this.#all()) {
      spent += lease.spent;
      held += lease.held;
    }
    return { account, spent: nano(spent > 0n ? spent : 0n), held: nano(held > 0n ? held : 0n) };
  }

  /** A call left its lease with this of its own. */
  alone(spent: bigint, held: bigint): void {
    this.#others = { spent: this.#others.spent + spent, held: this.#others.held + held };
  }

  /** No lease takes calls any more. `wanted`: somebody waits for the money, so none is taken for a while. */
  end(wanted: boolean): void {
    if (wanted) this.#restsUntil = this.#now() + this.#parts.terms.restMs;
    this.#asked = 0;
    const lease = this.#live;
    if (lease) {
      if (2n * lease.room > this.#want) this.#want /= 2n;
      lease.closedAt = this.#now();
      this.#live = undefined;
      this.#ending.add(lease);
    }
    this.poke();
  }

  /** Ends a lease whose time is over or that nobody uses, and says again what was not heard. */
  look(): void {
    const { ms, after } = this.#parts.terms;
    const [lease, now] = [this.#live, this.#now()];
    const isUsed = lease !== undefined && lease.usedAt + ms / 2 > now;
    if (lease && (lease.bornAt + ms <= now || !isUsed)) {
      this.end(false);
      // the next lease follows at once where calls go on
      if (isUsed) this.#asked = after;
    } else if (this.owes) this.poke();
  }

  /** Redis was away: it may be behind what was said to it, and may have forgotten. */
  doubt(): void {
    if (this.#live) this.end(false);
    for (const lease of this.#ending) {
      lease.stale = true;
      lease.mayGrow = true;
    }
    this.poke();
  }

  /** Redis turned these into charges. */
  lapsed(ids: ReadonlySet<string>): void {
    if (this.#live && ids.has(this.#live.id)) this.end(false);
    for (const lease of this.#ending) if (ids.has(lease.id)) lease.lapsed = true;
  }

  /** Says to Redis what is to be said, after what is being said. What fails is said again at the next `look`. */
  poke(): void {
    if (this.#waits) return;
    this.#waits = true;
    const saying = inTurn([this.turn], async () => {
      this.#waits = false;
      await this.#say();
    });
    saying.catch((error: unknown) => {
      if (!(error instanceof Unreachable)) this.#parts.onError(error);
    });
  }

  /** Resolves when what was to be said was answered, or was not. */
  async said(): Promise<void> {
    this.poke();
    await this.turn.quiet();
  }

  async #say(): Promise<void> {
    if (this.#live && this.#live.room < 0n) this.end(false);
    else if (this.#mayTake()) await this.#take(this.#live);
    for (const lease of this.ending) await this.#sayEnding(lease);
    if (this.#named && !this.#live && !this.ending.some((lease) => lease.isWaiting || unfit(lease))) {
      await this.book.withdraw(this.id);
      this.#named = false;
    }
  }

  async #sayEnding(lease: Lease): Promise<void> {
    if (lease.isEmpty) {
      await this.book.settle(lease.id, this.#account, lease.charge);
      this.#ending.delete(lease);
      this.alone(lease.charge, 0n);
    } else if (unfit(lease)) {
      const amount = lease.used;
      const is = await this.book.fit(
        lease.id,
        this.#account,
        amount,
        this.#lapsesAt(),
        lease.mayGrow || lease.room < 0n,
      );
      lease.lapsed = is === 'lapsed';
      lease.amount = amount;
      // lost: the next time it may come back
      lease.stale = is === 'unknown';
      lease.mayGrow = is === 'unknown';
      if (lease.stale) this.poke();
    }
  }

  #mayTake(): boolean {
    const { ms, after } = this.#parts.terms;
    if (ms === 0 || this.#restsUntil > this.#now() || this.#size === 0n) return false;
    return this.#live ? 2n * this.#live.room < this.#want : this.#asked >= after;
  }

  /** Takes a lease, or enlarges the one there is. */
  async #take(live: Lease | undefined): Promise<void> {
    const { terms, line } = this.#parts;
    const lease = live ?? new Lease(leaseId(line(), randomBytes(12).toString('hex')), this.#now());
    // where the answer is lost Redis may hold it: then it ends as one that no call used
    if (!live) this.#ending.add(lease);
    if (this.#want < BigInt(terms.calls) * this.#size) this.#want = BigInt(terms.calls) * this.#size;
    // what calls take meanwhile is no sign that it was filled for too few of them
    this.#grows = true;
    this.#named = true;
    const { used } = lease;
    const { leased, amount, ...totals } = await this.book.take({
      id: lease.id,
      account: this.#account,
      amount: used + this.#want,
      least: lease.amount + 2n * this.#size,
      used,
      share: terms.share,
      lapsesAt: this.#lapsesAt(),
    });
    this.heard(this.#account, totals, undefined);
    lease.amount = amount;
    if (leased) {
      this.#filledAt = this.#now();
      this.#grows = false;
      // a part of what is left was less: from there it grows on
      if (amount - used < this.#want) this.#want = amount - used;
    } else this.#restsUntil = Math.max(this.#restsUntil, this.#now() + terms.restMs);
    if (live) return;
    if (!leased) this.#ending.delete(lease);
    else if (this.#restsUntil <= this.#now()) {
      this.#ending.delete(lease);
      this.#live = lease;
    }
  }

  #all(): readonly Lease[] {
    return this.#live ? [...this.#ending, this.#live] : [...this.#ending];
  }

  #lapsesAt(): number {
    return this.#parts.clock.now() + 2 * this.#parts.terms.ms + GRACE_MS;
  }

  #now(): number {
    return this.#parts.clock.ticks();
  }
}

/** True where Redis should hold something else for the lease. */
const unfit = (lease: Lease): boolean => lease.stale || lease.amount !== lease.used;
