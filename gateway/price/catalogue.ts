import { normalizeModelId } from './model-id.ts';
import type { PricedModel, PriceTable } from './table.ts';

/** A model found in a table, and the region its id names (`eu.` before a model family), if any. */
export interface Found {
  readonly table: PriceTable;
  readonly model: PricedModel;
  readonly region: string | undefined;
}

const DATE_SUFFIX = /-(?:20[0-9]{6}|20[0-9]{2}-[0-9]{2}-[0-9]{2})$/;

interface Shelf {
  readonly table: PriceTable;
  readonly ids: ReadonlyMap<string, PricedModel>;
  readonly aliases: ReadonlyMap<string, PricedModel>;
  /** longest first */
  readonly prefixes: readonly (readonly [string, PricedModel])[];
}

/** Finds models by the ids that requests and replies name. Case does not matter. */
export class Catalogue {
  readonly tables: readonly PriceTable[];
  readonly #shelves: ReadonlyMap<string, Shelf>;

  constructor(tables: readonly PriceTable[]) {
    this.tables = tables;
    this.#shelves = new Map(tables.map((table) => [table.provider, shelve(table)]));
  }

  /** Exact id → alias → dated form → prefix rule, first on the id as it stands, then without what hosts put around it. */
  find(provider: string, id: string): Found | undefined {
    const shelf = this.#shelves.get(provider);
    if (shelf === undefined) return undefined;
    const written = id.toLowerCase();
    const model = lookup(shelf, written);
    if (model !== undefined) return { table: shelf.table, model, region: undefined };
    const plain = normalizeModelId(written, provider);
    const other = plain.id === written ? undefined : lookup(shelf, plain.id);
    return other === undefined ? undefined : { table: shelf.table, model: other, region: plain.region };
  }

  /** Where an unknown model's dearest price is sought: the provider's table, or every table where it has none. */
  candidates(provider: string): readonly Found[] {
    const own = this.#shelves.get(provider)?.table;
    const tables = own === undefined ? this.tables : [own];
    return tables.flatMap((table) => table.models.map((model) => ({ table, model, region: undefined })));
  }
}

function shelve(table: PriceTable): Shelf {
  const named = (names: (model: PricedModel) => readonly string[]): [string, PricedModel][] =>
    table.models.flatMap((model) => names(model).map((name): [string, PricedModel] => [name.toLowerCase(), model]));
  return {
    table,
    ids: new Map(named(({ id }) => [id])),
    aliases: new Map(named(({ aliases }) => aliases)),
    prefixes: named(({ prefixes }) => prefixes.map((prefix) => (prefix === '*' ? '' : prefix))).sort(
      ([a], [b]) => b.length - a.length,
    ),
  };
}

function lookup(shelf: Shelf, id: string): PricedModel | undefined {
  const named = (name: string): PricedModel | undefined => shelf.ids.get(name) ?? shelf.aliases.get(name);
  const exact = named(id);
  if (exact !== undefined) return exact;
  const base = id.replace(DATE_SUFFIX, '');
  const dated = base === id ? undefined : named(base);
  if (dated?.dated === true) return dated;
  return shelf.prefixes.find(([prefix]) => id.startsWith(prefix))?.[1];
}
