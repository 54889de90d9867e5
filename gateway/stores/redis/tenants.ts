import type { Link } from './link.ts';
import { TENANTS, tenantOf } from './place.ts';
import { type BookOptions, TenantBook } from './tenant-book.ts';

/** The books of all tenants, and which tenants there are. Throws Unreachable. */
export class Tenants {
  readonly #link: Link;
  readonly #options: BookOptions;
  readonly #books = new Map<string, TenantBook>();
  readonly #entered = new Set<string>();

  constructor(link: Link, options: BookOptions) {
    this.#link = link;
    this.#options = options;
    // a Redis that lost its data is told anew
    link.onBack(() => this.#entered.clear());
  }

  book(tenant: string): TenantBook {
    const known = this.#books.get(tenant) ?? new TenantBook(tenant, this.#link, this.#options);
    this.#books.set(tenant, known);
    return known;
  }

  /** Members by the tenant they name, in a fixed order. */
  grouped<T>(members: readonly T[], id: (member: T) => string): readonly (readonly [TenantBook, readonly T[]])[] {
    const groups = new Map<string, T[]>();
    for (const member of members) {
      const tenant = tenantOf(id(member));
      const group = groups.get(tenant);
      if (group) group.push(member);
      else groups.set(tenant, [member]);
    }
    return [...groups].sort(([a], [b]) => (a < b ? -1 : 1)).map(([tenant, group]) => [this.book(tenant), group]);
  }

  /** Makes sure that sweeps find the tenant. One question the first time, none after it. */
  async enter(book: TenantBook): Promise<void> {
    const { tenant } = book.place;
    if (this.#entered.has(tenant)) return;
    await this.#link.ask(() => this.#link.client.sadd(TENANTS, `t.${tenant}`));
    this.#entered.add(tenant);
  }

  async all(): Promise<readonly TenantBook[]> {
    const names = await this.#link.ask(() => this.#link.client.smembers(TENANTS));
    return names.map((name) => this.book(name.slice(2)));
  }
}
