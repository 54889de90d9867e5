import { nano } from '../../gateway/domain/scalars.ts';
import type { Account, Reservation, SettleAnswer } from '../../gateway/ports/ledger.ts';

interface Hold {
  state: 'open' | 'settled' | 'released' | 'lapsed';
  held: bigint;
  charged: bigint;
  lapsesAt: number;
  readonly on: ReadonlySet<string>;
}

/** The ledger in its most naive form: holds in a map, every total summed anew. */
export class LedgerModel {
  readonly #limits: ReadonlyMap<string, bigint>;
  readonly #holds = new Map<string, Hold>();
  #refused = new Set<string>();
  /** a charge passed its hold, so a limit may be passed */
  overspent = false;

  constructor(accounts: readonly Account[]) {
    this.#limits = new Map(accounts.map(({ id, limit }) => [id, limit]));
  }

  totals(account: string): readonly [bigint, bigint] {
    let [spent, held] = [0n, 0n];
    for (const hold of this.#holds.values()) {
      if (!hold.on.has(account)) continue;
      spent += hold.charged;
      if (hold.state === 'open') held += hold.held;
    }
    return [spent, held];
  }

  /** True where there is a hold of that id, open or closed. */
  holds(id: string): boolean {
    return this.#holds.has(id);
  }

  /** True where it was settled or released. */
  isOver(id: string): boolean {
    const state = this.#holds.get(id)?.state;
    return state === 'settled' || state === 'released';
  }

  /** True where a reserve of that id is answered by what became of it. */
  knows(id: string): boolean {
    return this.#refused.has(id) || this.holds(id);
  }

  reserve({ id, accounts, amount, least, lapsesAt }: Reservation): bigint | 'spent' | undefined {
    if (this.#refused.has(id)) return undefined;
    const known = this.#holds.get(id);
    if (known) return known.state === 'open' ? known.held : 'spent';
    const rooms = accounts.map((account) => {
      const [spent, held] = this.totals(account.id);
      return (this.#limits.get(account.id) as bigint) - spent - held;
    });
    const room = rooms.reduce<bigint | undefined>(
      (min, next) => (min === undefined || next < min ? next : min),
      undefined,
    );
    let grant: bigint | undefined = amount;
    if (room !== undefined && amount > room) grant = room >= 0n && room >= least ? room : undefined;
    if (grant === undefined) this.#refused.add(id);
    else
      this.#holds.set(id, {
        state: 'open',
        held: grant,
        charged: 0n,
        lapsesAt,
        on: new Set(accounts.map((a) => a.id)),
      });
    return grant;
  }

  settle(id: string, amount: bigint, accounts: readonly Account[]): SettleAnswer {
    const on = new Set(accounts.map((a) => a.id));
    const hold = this.#holds.get(id) ?? { state: 'released', held: 0n, charged: 0n, lapsesAt: 0, on };
    this.#holds.set(id, hold);
    if (hold.state !== 'settled') {
      hold.state = 'settled';
      hold.charged = amount;
    }
    const overrun = hold.charged > hold.held ? hold.charged - hold.held : 0n;
    if (overrun > 0n) this.overspent = true;
    return { charged: nano(hold.charged), overrun: nano(overrun) };
  }

  release(id: string): void {
    const hold = this.#holds.get(id);
    if (!hold || hold.state === 'settled') return;
    Object.assign(hold, { state: 'released', held: 0n, charged: 0n });
  }

  renew(id: string, lapsesAt: number): void {
    const hold = this.#holds.get(id);
    if (hold?.state === 'open') hold.lapsesAt = lapsesAt;
  }

  lapse(now: number): readonly string[] {
    const due = [...this.#holds].filter(([, { state, lapsesAt }]) => state === 'open' && lapsesAt <= now);
    for (const [, hold] of due) Object.assign(hold, { state: 'lapsed', charged: hold.held });
    return due.map(([id, { held }]) => `${id} ${held}`).sort();
  }

  /** Refusals hold nothing and need not be remembered over a restart. */
  restart(): void {
    this.#refused = new Set();
  }
}
