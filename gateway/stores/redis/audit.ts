import type { Link } from './link.ts';
import type { Place } from './place.ts';
import type { Tenants } from './tenants.ts';

/** One account whose stored totals are not what its hold records add up to, in nano-dollars. */
export interface Discrepancy {
  readonly account: string;
  readonly spent: bigint;
  readonly held: bigint;
  readonly recordedSpent: bigint;
  readonly recordedHeld: bigint;
}

type Hash = Readonly<Record<string, string>>;

/** Where totals differ from the hold records. Not one moment's view: only while no call is under way. Throws Unreachable. */
export async function audit(link: Link, tenants: Tenants): Promise<readonly Discrepancy[]> {
  const found: Discrepancy[] = [];
  for (const { place } of await tenants.all()) found.push(...(await auditTenant(link, place)));
  return found.sort((a, b) => (a.account < b.account ? -1 : 1));
}

async function auditTenant(link: Link, place: Place): Promise<readonly Discrepancy[]> {
  const members = (key: string): Promise<string[]> => link.ask(() => link.client.zrange(key, '0', '-1'));
  const hash = (key: string): Promise<Hash> => link.ask(() => link.client.hgetall(key));
  const recorded = new Map<string, { spent: bigint; held: bigint }>();
  for (const key of [place.leases, place.closed]) {
    for (const id of await members(key)) {
      const hold = await hash(`${place.prefix}h:${id}`);
      for (const account of new Set(JSON.parse(hold['accounts'] ?? '[]') as string[])) {
        const sum = recorded.get(account) ?? { spent: 0n, held: 0n };
        sum.spent += BigInt(hold['charged'] ?? 0);
        if (hold['state'] === 'open') sum.held += BigInt(hold['amount'] ?? 0);
        recorded.set(account, sum);
      }
    }
  }
  const wrong: Discrepancy[] = [];
  for (const account of await members(place.accounts)) {
    const stored = await hash(place.account(account));
    const [spent, held] = [BigInt(stored['spent'] ?? 0), BigInt(stored['held'] ?? 0)];
    const recordedSpent = BigInt(stored['archived'] ?? 0) + (recorded.get(account)?.spent ?? 0n);
    const recordedHeld = recorded.get(account)?.held ?? 0n;
    if (spent !== recordedSpent || held !== recordedHeld) {
      wrong.push({ account, spent, held, recordedSpent, recordedHeld });
    }
  }
  return wrong;
}
