import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { usdToNano } from '../../domain/money.ts';
import type { SealEntry } from '../../domain/receipt.ts';
import { type EpochMs, epochMs } from '../../domain/scalars.ts';
import { summarize } from '../../domain/usage.ts';
import { openReadOnly } from '../../stores/embedded/open-embedded.ts';
import { CommandFailure } from '../terminal.ts';
import { addUse, NO_USE, type Place, placeId, type Use } from './use.ts';

/** What the record of one or more gates holds for a place. */
export interface OurUse {
  readonly place: Place;
  readonly use: Use;
  /** calls whose final usage was never seen: they were charged their hold, and what is counted of them is a floor */
  readonly uncertain: number;
  /** nano-dollars charged for those */
  readonly uncertainCharge: bigint;
}

const DAY_MS = 86_400_000;
const startOf = (day: string): EpochMs => epochMs(Date.parse(`${day}T00:00:00Z`));

/** Sums what the index of each state folder says of calls in [from, to], both days included, by the place `placeOf` gives them. */
export function ourUse(
  states: readonly string[],
  from: string,
  to: string,
  placeOf: (receipt: SealEntry, day: string, model: string) => Place | undefined,
): ReadonlyMap<string, OurUse> {
  const found = new Map<string, OurUse>();
  for (const state of states) {
    const file = join(state, 'tollgate.db');
    if (!existsSync(file))
      throw new CommandFailure(2, `nothing is recorded at \`${file}\`; name the state folder of a gate with --state`);
    const opened = openReadOnly(file);
    try {
      for (const receipt of opened.calls.between(startOf(from), epochMs(startOf(to) + DAY_MS)))
        for (const part of partsOf(receipt)) {
          const place = placeOf(receipt, new Date(receipt.at).toISOString().slice(0, 10), part.model);
          if (place !== undefined) add(found, place, part);
        }
    } finally {
      opened.close();
    }
  }
  return found;
}

interface Part {
  readonly model: string;
  readonly use: Use;
  readonly uncertain: number;
  readonly uncertainCharge: bigint;
}

function add(found: Map<string, OurUse>, place: Place, part: Part): void {
  const before = found.get(placeId(place));
  found.set(placeId(place), {
    place,
    use: addUse(before?.use ?? NO_USE, part.use),
    uncertain: (before?.uncertain ?? 0) + part.uncertain,
    uncertainCharge: (before?.uncertainCharge ?? 0n) + part.uncertainCharge,
  });
}

/** A call by the models that served it; none for a call that was never carried. */
function partsOf(receipt: SealEntry): Part[] {
  const { usage, cost_lines = [] } = receipt;
  const named = receipt.served_model ?? receipt.model;
  const exact = usage?.certainty === 'exact';
  const charge = usdToNano(receipt.cost_usd);
  if (usage === undefined && charge === 0n) return [];
  const entries = usage?.entries ?? [];
  const uncertain = exact ? 0 : 1;
  const first: Part = {
    model: entries[0]?.model ?? named,
    use: { ...NO_USE, calls: 1, ...(exact ? costs(cost_lines) : {}) },
    uncertain,
    uncertainCharge: exact ? 0n : charge,
  };
  const parts = entries.map((entry) => ({
    model: entry.model ?? named,
    use: { ...NO_USE, ...summarize({ entries: [entry], certainty: 'exact' }) },
    uncertain: 0,
    uncertainCharge: 0n,
  }));
  return entries.length > 1 && exact ? [...parts, ...byModel(cost_lines, first)] : [first, ...parts];
}

type Lines = NonNullable<SealEntry['cost_lines']>;

function costs(lines: Lines): { tokenCost: bigint; feeCost: bigint } {
  let tokenCost = 0n;
  let feeCost = 0n;
  for (const { leaf, pico } of lines) {
    if (leaf.startsWith('fee:')) feeCost += BigInt(pico);
    else tokenCost += BigInt(pico);
  }
  return { tokenCost, feeCost };
}

/** The cost of a reply that several models served, each line at its own model; the call itself counts once. */
function byModel(lines: Lines, first: Part): Part[] {
  const models = [...new Set(lines.map(({ model }) => model))];
  return models.map((model, i) => ({
    ...first,
    model,
    use: { ...NO_USE, calls: i === 0 ? 1 : 0, ...costs(lines.filter((line) => line.model === model)) },
  }));
}
