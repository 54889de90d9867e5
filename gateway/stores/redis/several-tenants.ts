import { type CallId, nano } from '../../domain/scalars.ts';
import type { Account, Balance, Reservation } from '../../ports/ledger.ts';
import type { RateWant } from '../../ports/rates.ts';
import { MOST } from './amounts.ts';
import type { Closed, Held, Lapsed, TenantBook, Wanted } from './tenant-book.ts';
import type { Tenants } from './tenants.ts';

type Group = readonly [TenantBook, readonly Account[]];

/** What a call asks of one tenant. */
export interface Share {
  readonly book: TenantBook;
  readonly accounts: readonly Account[];
  readonly rates: readonly RateWant[];
}

/** A reservation by the tenants that its accounts and rates name, in a fixed order. */
export function sharesOf(tenants: Tenants, { accounts, rates = [] }: Reservation): readonly Share[] {
  const members: readonly (Account | RateWant)[] = [...accounts, ...rates];
  return tenants
    .grouped(members, (member) => (isRate(member) ? member.account.id : member.id))
    .map(([book, group]) => ({
      book,
      accounts: group.filter((member): member is Account => !isRate(member)),
      rates: group.filter(isRate),
    }));
}

const isRate = (member: Account | RateWant): member is RateWant => 'account' in member;

/**
 * Holds in the accounts of every tenant and takes of their rates, or does neither anywhere. A script reaches one tenant only, so what
 * concerns several tenants is one reserve each, in a fixed order; where a later one is refused the earlier ones are released, and where it
 * grants less they shrink to that. A process that dies in between leaves holds that lapse as charges: never too little. Before one tenant
 * refuses what gateways lease, `makeRoom` asks it back; over several tenants leases are left alone.
 */
export async function reserveAll(
  shares: readonly Share[],
  request: Reservation,
  makeRoom: (accounts: readonly string[]) => Promise<unknown>,
): Promise<readonly [Held, readonly Lapsed[]]> {
  const { id, lapsesAt } = request;
  const balances = new Map<Account, Balance>();
  const swept: Lapsed[] = [];
  const held: (readonly [TenantBook, bigint])[] = [];
  let amount: bigint = request.amount;
  for (const { book, accounts, rates } of shares) {
    const least = request.least < amount ? request.least : amount;
    const wanted = { id, accounts, rates, amount, least, lapsesAt };
    const [answer, lapsed] = shares.length === 1 ? await ask(book, wanted, makeRoom) : await book.reserve(wanted);
    swept.push(...lapsed);
    if ('balances' in answer) for (const balance of answer.balances) balances.set(balance.account, balance);
    if (answer.is !== 'granted') {
      for (const [other] of held) await other.release(id, true);
      return [answer.is === 'short' ? { is: 'short', balances: inOrder(request, balances) } : answer, swept];
    }
    amount = answer.amount;
    held.push([book, amount]);
  }
  for (const [book, has] of held) if (has > amount) await book.trim(id, amount);
  return [{ is: 'granted', amount, balances: inOrder(request, balances) }, swept];
}

async function ask(
  book: TenantBook,
  wanted: Wanted,
  makeRoom: (accounts: readonly string[]) => Promise<unknown>,
): Promise<readonly [Held, readonly Lapsed[]]> {
  const [answer, lapsed] = await book.reserve(wanted, 'ask');
  if (answer.is !== 'leased') return [answer, lapsed];
  await makeRoom(answer.accounts);
  return book.reserve(wanted);
}

/** Raises the hold with every tenant or with none. False where one has no room, or none holds. */
export async function raiseAll(groups: readonly Group[], id: CallId, amount: bigint): Promise<boolean> {
  const raised: (readonly [TenantBook, bigint])[] = [];
  for (const [book, group] of groups) {
    const before = await book.raise(id, amount, group);
    if (before === undefined) {
      for (const [other, had] of raised) await other.trim(id, had);
      return false;
    }
    raised.push([book, before]);
  }
  return raised.length > 0;
}

/** Settles with every tenant that holds for the call; where none knows it, charges it on the accounts given. */
export async function settleAll(
  books: readonly TenantBook[],
  groups: readonly Group[],
  id: CallId,
  amount: bigint,
  tokens: number | undefined,
): Promise<Closed | undefined> {
  const charge = new Map(groups);
  let last: Closed | undefined;
  for (const book of books) {
    const closed = await book.settle(id, amount, tokens, charge.get(book));
    if (closed && (!last || closed.held < last.held)) last = closed;
  }
  return last;
}

export async function release(books: readonly TenantBook[], id: CallId, spend: boolean): Promise<void> {
  for (const book of books) await book.release(id, spend);
}

/** Holds what the record says was held, whatever the limits say. Returns where; empty where the call is over or had no budget. */
export async function holdAgain(
  tenants: Tenants,
  recorded: {
    readonly id: CallId;
    readonly amount: bigint;
    readonly accounts: readonly string[];
    readonly lapsesAt: number;
  },
): Promise<readonly TenantBook[]> {
  const { id, amount, lapsesAt } = recorded;
  const books: TenantBook[] = [];
  for (const [book, accounts] of tenants.grouped(recorded.accounts.map(unlimited), (account) => account.id)) {
    await tenants.enter(book);
    const [held] = await book.reserve({ id, accounts, rates: [], amount, least: 0n, lapsesAt }, 'force');
    if (held.is === 'granted') books.push(book);
  }
  return books;
}

/** An account that the record names, as far as it knows it. */
export const unlimited = (id: string): Account => ({
  id,
  scope: 'tenant',
  window: 'total',
  limit: nano(MOST),
  resetsAt: undefined,
});

const inOrder = ({ accounts }: Reservation, balances: ReadonlyMap<Account, Balance>): Balance[] =>
  accounts.flatMap((account) => balances.get(account) ?? []);
