import type { Pair } from './compare-use.ts';
import type { ExportRow } from './export-rows.ts';
import type { OurUse } from './our-use.ts';
import { addUse, NO_USE, type Place, placeId, tokensOf, type Use } from './use.ts';

interface PairOptions {
  readonly rows: readonly ExportRow[];
  readonly ours: ReadonlyMap<string, OurUse>;
  /** an id or display name → the price table's name */
  readonly names: (written: string) => string;
  /** a provider's key → a gateway key */
  readonly mapped: ReadonlyMap<string, string>;
  /** what use costs by our table, in picodollars */
  readonly price: (model: string, use: Use, day: string) => bigint;
}

interface Theirs {
  readonly place: Place;
  use: Use;
  readonly keys: Map<string, number>;
}

/** Models of lines that are about none: a daily total, or fees of tools. */
const ALL = '*';

/** Both sides of every day and model that one of them knows. */
export function pairUp(options: PairOptions): Pair[] {
  const { rows, ours, price } = options;
  // tokens are compared only where some export states tokens, and cost only where some export states cost
  const counts = rows.some((row) => row.counts);
  const byModel = rows.some((row) => !row.counts && row.model !== undefined);
  const costDays = new Set(
    rows.flatMap(({ counts: tokens, model, day }) => (tokens || model === undefined ? [] : [day])),
  );
  const totals = rows.filter((row) => !row.counts && row.model === undefined);
  const theirs = gather(
    byModel || totals.length === 0 ? rows.filter((row) => !totals.includes(row)) : rows.filter((row) => row.counts),
    options,
  );
  const pairs = [...new Set([...theirs.keys(), ...ours.keys()])].map((id): Pair => {
    const seen = theirs.get(id);
    const recorded = ours.get(id);
    const place = (seen ?? recorded)?.place as Place;
    return {
      place,
      theirs: seen?.use,
      ours: recorded,
      keys: [...(seen?.keys ?? [])].sort(([, a], [, b]) => b - a),
      counts,
      costs: costDays.has(place.day),
      theirsPriced: seen === undefined ? 0n : price(place.model, seen.use, place.day),
    };
  });
  return [...pairs, ...dayTotals(totals, ours, byModel)].sort((a, b) => (placeId(a.place) < placeId(b.place) ? -1 : 1));
}

function gather(rows: readonly ExportRow[], { names, mapped }: PairOptions): Map<string, Theirs> {
  const found = new Map<string, Theirs>();
  for (const { day, model, key, use } of rows) {
    const place: Place = { day, model: names(model ?? ALL), key: key === undefined ? undefined : mapped.get(key) };
    const known = found.get(placeId(place)) ?? { place, use: NO_USE, keys: new Map() };
    known.use = addUse(known.use, use);
    if (key !== undefined && tokensOf(use) > 0) known.keys.set(key, (known.keys.get(key) ?? 0) + tokensOf(use));
    found.set(placeId(place), known);
  }
  return found;
}

/** Lines without a model against the day as a whole: all of its cost, or, where models are listed too, its fees. */
function dayTotals(totals: readonly ExportRow[], ours: ReadonlyMap<string, OurUse>, feesOnly: boolean): Pair[] {
  const days = Map.groupBy(totals, ({ day }) => day);
  return [...days].map(([day, rows]): Pair => {
    const place: Place = { day, model: ALL, key: undefined };
    const stated = rows.map(({ use }) => use).reduce(addUse);
    const cost = (stated.tokenCost ?? 0n) + (stated.feeCost ?? 0n);
    const here = [...ours.values()].filter((one) => one.place.day === day);
    const sum = here.reduce((all, { use }) => all + (use.feeCost ?? 0n) + (feesOnly ? 0n : (use.tokenCost ?? 0n)), 0n);
    return {
      place,
      theirs: { ...NO_USE, feeCost: cost, slack: stated.slack },
      ours: {
        place,
        use: { ...NO_USE, feeCost: sum },
        uncertain: here.reduce((n, { uncertain }) => n + uncertain, 0),
        uncertainCharge: here.reduce((all, { uncertainCharge }) => all + uncertainCharge, 0n),
      },
      keys: [],
      counts: false,
      costs: false,
      theirsPriced: 0n,
    };
  });
}
