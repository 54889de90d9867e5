import { isArray, isObject, type Json } from '../domain/json.ts';
import { divideUp, picoToNano } from '../domain/money.ts';
import { resolvePointer } from '../domain/pointer.ts';
import type { CostLine } from '../domain/pricing.ts';
import { type EpochMs, type Nano, pico } from '../domain/scalars.ts';
import type { PricedTool, ToolRow, ToolUnit } from './tool-book.ts';

/** What one call of a tool costs, or can cost at most. */
export interface ToolPrice {
  readonly amount: Nano;
  /** `exact`: the row and every count are known; `estimated`: a bound stands in for a count, or no row was in force yet */
  readonly status: 'exact' | 'estimated';
  /** false: a unit whose count is not known has no `max`, and `amount` is without it. Charge at least the hold. */
  readonly bounded: boolean;
  /** the lines of a receipt; they add up to `amount` before its one rounding */
  readonly lines: readonly CostLine[];
}

/** How an executed call ended. */
export interface ToolRun {
  /** the JSON that `in: result` pointers start from (MCP: the whole `result`); undefined: none was seen */
  readonly result: Json | undefined;
  /** the tool itself says that it failed (MCP: `isError`) */
  readonly failed: boolean;
}

/** What is known of one unit's count; undefined: neither the count nor a bound. */
interface Counted {
  readonly count: number | undefined;
  readonly certain: boolean;
}

/** Prices one call; `run` is undefined before it ran. Total: never throws. */
export function priceTool(entry: PricedTool, args: Json, run: ToolRun | undefined, at: EpochMs): ToolPrice {
  const started = entry.rows.find(({ from }) => from <= at);
  const row = started ?? (entry.rows.at(-1) as ToolRow);
  if (run?.failed === true && row.failedIsFree)
    return { amount: picoToNano(pico(0n)), status: started ? 'exact' : 'estimated', bounded: true, lines: [] };
  const lines: CostLine[] = [{ model: entry.label, leaf: 'fee:call', count: 1, amount: pico(row.perCall * 1000n) }];
  let certain = started !== undefined;
  let bounded = true;
  for (const unit of row.units) {
    const counted = countOf(unit, unit.in === 'arguments' ? args : run?.result);
    if (!counted.certain) certain = false;
    if (counted.count === undefined) bounded = false;
    else lines.push(lineOf(entry, unit, counted.count));
  }
  const total = lines.reduce((sum, { amount }) => sum + amount, 0n);
  return { amount: picoToNano(pico(total)), status: certain && bounded ? 'exact' : 'estimated', bounded, lines };
}

function lineOf({ label }: PricedTool, unit: ToolUnit, count: number): CostLine {
  const amount = pico(divideUp(BigInt(count) * unit.price * 1000n, unit.per));
  return { model: label, leaf: `fee:${unit.name}`, count, amount };
}

/** `from` undefined: the value that is counted was not seen. */
function countOf(unit: ToolUnit, from: Json | undefined): Counted {
  const value = from === undefined ? undefined : resolvePointer(from, unit.at);
  const missing = from !== undefined && (value === undefined || value === null);
  const count = missing ? unit.absent : value === undefined ? undefined : readCount(unit, value);
  return count === undefined ? { count: unit.max, certain: false } : { count, certain: true };
}

const utf8Bytes = (text: string): number => {
  let bytes = 0;
  for (const character of text) {
    const code = character.codePointAt(0) as number;
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  }
  return bytes;
};

/** A count of at least zero, rounded up to a whole unit; undefined where the value cannot be counted that way. */
function readCount({ count, values }: ToolUnit, value: Json): number | undefined {
  if (values !== undefined) return typeof value === 'object' ? undefined : values.get(String(value));
  if (count === 'items') return isArray(value) ? value.length : isObject(value) ? Object.keys(value).length : undefined;
  if (count === 'characters') return typeof value === 'string' ? [...value].length : undefined;
  if (count === 'bytes') return typeof value === 'string' ? utf8Bytes(value) : undefined;
  const number = typeof value === 'string' && /^[0-9]{1,15}(?:\.[0-9]+)?$/.test(value) ? Number(value) : value;
  if (typeof number !== 'number' || !(number >= 0)) return undefined;
  const whole = Math.ceil(number);
  return Number.isSafeInteger(whole) ? whole : undefined;
}
