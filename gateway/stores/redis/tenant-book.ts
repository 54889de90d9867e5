import { Fault } from '../../domain/fault.ts';
import { type CallId, type Nano, nano } from '../../domain/scalars.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Account, Balance } from '../../ports/ledger.ts';
import type { RateShort, RateWant } from '../../ports/rates.ts';
import { countable, wholeMs } from './amounts.ts';
import * as lua from './ledger-scripts.ts';
import type { Link } from './link.ts';
import { Place } from './place.ts';
import { isShortOfRate, rateShort, wantedText } from './rates.ts';
import type { Script } from './script.ts';

export interface BookOptions {
  readonly clock: Clock;
  /** `server`: Redis tells the time, one clock for all gateways; `clock`: ours does, for tests that set it */
  readonly time: 'server' | 'clock';
  /** how long closed holds and ended windows are kept */
  readonly keepMs: number;
  /** this gateway, by a name that it keeps over restarts */
  readonly gateway: string;
}

export type Lapsed = { readonly id: CallId; readonly amount: Nano };

export type Held =
  | { readonly is: 'granted'; readonly amount: bigint; readonly balances: readonly Balance[] }
  | { readonly is: 'short'; readonly balances: readonly Balance[] }
  | { readonly is: 'rate'; readonly rate: RateShort }
  | { readonly is: 'closed' };

/** There is no room for the amount in these accounts, and gateways lease of them: nothing is held. */
export type Leased = { readonly is: 'leased'; readonly accounts: readonly string[] };

export interface Closed {
  readonly charged: bigint;
  readonly held: bigint;
}

/** What a reserve asks of one tenant. */
export interface Wanted {
  readonly id: CallId;
  readonly accounts: readonly Account[];
  readonly rates: readonly RateWant[];
  readonly amount: bigint;
  readonly least: bigint;
  readonly lapsesAt: number;
}

/** The money and the rates of one tenant: each verb is one script over keys of one slot, one question. Throws Unreachable and Faults. */
export class TenantBook {
  readonly place: Place;
  readonly #link: Link;
  readonly #options: BookOptions;

  /** this gateway */
  get gateway(): string {
    return this.#options.gateway;
  }

  constructor(tenant: string, link: Link, options: BookOptions) {
    this.place = new Place(tenant);
    this.#link = link;
    this.#options = options;
  }

  /**
   * Also returns which leases the script swept on its way. Where there is no room for the amount, it holds less or refuses (`final`), is told
   * of leases first (`ask`), or holds it whatever the limits say (`force`).
   */
  async reserve(wanted: Wanted, manner?: 'final' | 'force'): Promise<readonly [Held, readonly Lapsed[]]>;
  async reserve(wanted: Wanted, manner: 'ask'): Promise<readonly [Held | Leased, readonly Lapsed[]]>;
  async reserve(
    wanted: Wanted,
    manner: 'final' | 'force' | 'ask' = 'final',
  ): Promise<readonly [Held | Leased, readonly Lapsed[]]> {
    const { id, accounts, rates, amount, least, lapsesAt } = wanted;
    const unique = tightestLimits(accounts);
    const limits = unique.flatMap(({ limit, resetsAt }) => [`${countable(limit)}`, windowEnd(resetsAt)]);
    const args = [id, `${amount}`, `${least}`, this.fromNow('lapsesAt', lapsesAt), idsOf(unique)];
    const keys = [this.place.hold(id), ...unique.map((account) => this.place.account(account.id))];
    keys.push(...rates.map(({ account }) => this.place.rate(account.id)));
    args.push(this.gateway, manner, wantedText(rates), ...limits);
    const reply = await this.run(lua.RESERVE, keys, args);
    if (isShortOfRate(reply)) return [{ is: 'rate', rate: rateShort(rates, reply) }, []];
    const [is, granted, before, swept, own] = reply as [string, string, string[], string[], string[]?];
    if (is === 'closed') return [{ is }, []];
    if (is === 'leased') return [{ is, accounts: (reply as [string, string[]])[1] }, []];
    if (is === 'full') throw full(granted);
    const totals = new Map(unique.map((account, i) => [account.id, pairAt(before, i)]));
    if (is === 'again') for (const name of own ?? []) lessHeld(totals, name, BigInt(granted));
    const balances = accounts.map((account) => balanceOf(account, totals.get(account.id)));
    if (is === 'short') return [{ is, balances }, lapsedOf(swept)];
    return [{ is: 'granted', amount: BigInt(granted), balances }, lapsedOf(swept)];
  }

  /** Raises the hold; the amount before, or undefined where it cannot be raised. */
  async raise(id: CallId, amount: bigint, accounts: readonly Account[]): Promise<bigint | undefined> {
    const unique = tightestLimits(accounts);
    const keys = [this.place.hold(id), ...unique.map((account) => this.place.account(account.id))];
    const limits = unique.map(({ limit }) => `${countable(limit)}`);
    const [is, before] = (await this.run(lua.RESIZE, keys, [id, `${amount}`, '', ...limits])) as [string, string?];
    if (is === 'full') throw full(before ?? '');
    return is === 'yes' ? BigInt(before ?? amount) : undefined;
  }

  /** Gives back what an open hold has beyond `amount`. */
  async trim(id: CallId, amount: bigint): Promise<void> {
    await this.run(lua.RESIZE, [this.place.hold(id)], [id, `${amount}`, 'trim']);
  }

  /** Undefined where the call is unknown here; `charge` names the accounts that are charged all the same. */
  async settle(id: CallId, amount: bigint, tokens?: number, charge?: readonly Account[]): Promise<Closed | undefined> {
    const unique = tightestLimits(charge ?? []);
    const args = [id, `${amount}`, idsOf(unique), charge === undefined ? 'known' : ''];
    const ends = JSON.stringify(unique.map(({ resetsAt }) => windowEnd(resetsAt)));
    const reply = await this.run(lua.SETTLE, [this.place.hold(id)], [...args, ends, tokens ?? '']);
    const [is, charged, held] = reply as [string, string, string];
    if (is === 'full') throw full(charged);
    return is === 'unknown' ? undefined : { charged: BigInt(charged), held: BigInt(held) };
  }

  /** False where the call is unknown here; `spend` then makes its id a spent one. */
  async release(id: CallId, spend: boolean): Promise<boolean> {
    const [is] = (await this.run(lua.RELEASE, [this.place.hold(id)], [id, spend ? 'spend' : ''])) as [string];
    return is !== 'unknown';
  }

  async renew(id: CallId, lapsesAt: number): Promise<boolean> {
    const lease = this.fromNow('lapsesAt', lapsesAt);
    const [is] = (await this.run(lua.RENEW, [this.place.leases], [id, lease])) as [string];
    return is !== 'unknown';
  }

  /** At most `most` of the leases that ran out. */
  async lapse(now: number, most: number): Promise<readonly Lapsed[]> {
    return lapsedOf((await this.run(lua.LAPSE, [this.place.leases], [this.fromNow('now', now), most])) as string[]);
  }

  async balances(accounts: readonly Account[]): Promise<readonly Balance[]> {
    const unique = tightestLimits(accounts);
    const keys = unique.map(({ id }) => this.place.account(id));
    const found = (await this.run(lua.BALANCES, keys, [])) as string[];
    const totals = new Map(unique.map(({ id }, i) => [id, pairAt(found, i)]));
    return accounts.map((account) => balanceOf(account, totals.get(account.id)));
  }

  /** The calls of this gateway that were neither settled nor released. */
  async openHolds(): Promise<readonly CallId[]> {
    return (await this.run(lua.OPEN_HOLDS, [this.place.leases], [this.gateway])) as CallId[];
  }

  /** Times travel as distances, so that no gateway's clock is compared with another's. */
  fromNow(name: string, at: number): number {
    if (at === Number.POSITIVE_INFINITY) return Number.MAX_SAFE_INTEGER / 4;
    return wholeMs(name, at) - wholeMs('now', this.#options.clock.now());
  }

  /** One script over keys of this tenant. Throws Unreachable. */
  run(script: Script, keys: readonly string[], args: readonly (string | number)[]): Promise<unknown> {
    const { time, clock, keepMs } = this.#options;
    const now = time === 'server' ? '' : wholeMs('now', clock.now());
    return this.#link.runLasting(script, keys, [this.place.prefix, now, keepMs, ...args]);
  }
}

type Pair = { spent: bigint; held: bigint };

const pairAt = (found: readonly string[], i: number): Pair => ({
  spent: BigInt(found[2 * i] ?? 0),
  held: BigInt(found[2 * i + 1] ?? 0),
});

function lessHeld(totals: ReadonlyMap<string, Pair>, account: string, amount: bigint): void {
  const found = totals.get(account);
  if (found) found.held -= amount;
}

const balanceOf = (account: Account, found: Pair | undefined): Balance => ({
  account,
  spent: nano(found?.spent ?? 0n),
  held: nano(found?.held ?? 0n),
});

/** Each account once, with the tightest of its limits. */
export function tightestLimits(accounts: readonly Account[]): readonly Account[] {
  const unique = new Map<string, Account>();
  for (const account of accounts) {
    const known = unique.get(account.id);
    if (!known || account.limit < known.limit) unique.set(account.id, account);
  }
  return [...unique.values()];
}

const idsOf = (accounts: readonly Account[]): string => JSON.stringify(accounts.map(({ id }) => id));

/** The end of a window as Redis sorts by it. */
export const windowEnd = (resetsAt: number | undefined): string =>
  resetsAt === undefined ? '+inf' : `${Math.trunc(resetsAt)}`;

const full = (account: string): Fault =>
  new Fault('TG_LEDGER_UNAVAILABLE', `the total of \`${account}\` would be more than the ledger can count`);

function lapsedOf(swept: readonly string[]): readonly Lapsed[] {
  const found: Lapsed[] = [];
  for (let i = 0; i + 1 < swept.length; i += 2) {
    found.push({ id: swept[i] as CallId, amount: nano(BigInt(swept[i + 1] as string)) });
  }
  return found;
}
