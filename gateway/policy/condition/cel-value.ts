/**
 * What a condition computes with. CEL `int` is a bigint, `double` a number; a JSON number is a number, facts declared `int` are
 * numbers until something needs the bigint. Lists are arrays, maps plain objects with string keys.
 */
export type Value =
  | null
  | boolean
  | number
  | bigint
  | string
  | Instant
  | Span
  | Broken
  | readonly Value[]
  | { readonly [name: string]: Value };

/** What is an object to JavaScript and no map to a condition. */
abstract class Opaque {}

/** A point in time, in milliseconds since the epoch. */
export class Instant extends Opaque {
  readonly ms: number;
  constructor(ms: number) {
    super();
    this.ms = ms;
  }
}

/** A length of time in milliseconds. */
export class Span extends Opaque {
  readonly ms: number;
  constructor(ms: number) {
    super();
    this.ms = ms;
  }
}

/** CEL's range: the years 1 to 9999. */
export const isInstant = (ms: number): boolean => ms >= -62_135_596_800_000 && ms < 253_402_300_800_000;

/** CEL's range: nanoseconds in a 64-bit int, about 292 years. */
export const isSpan = (ms: number): boolean => Math.abs(ms) <= 9_223_372_036_854;

/** An evaluation error, as a value: `&&` and `||` may absorb it, everything else passes it on. Made at load, not at run time. */
export class Broken extends Opaque {
  readonly why: string;
  constructor(why: string) {
    super();
    this.why = why;
  }
}

export const OUT_OF_STEPS = new Broken('the condition took too many steps');

export const isList = (v: Value): v is readonly Value[] => Array.isArray(v);

export const isMap = (v: Value): v is { readonly [name: string]: Value } =>
  typeof v === 'object' && v !== null && !Array.isArray(v) && !(v instanceof Opaque);

export const MAX_INT = 2n ** 63n - 1n;
export const MIN_INT = -(2n ** 63n);

/** Takes steps for work in proportion to the data; false once there are none left. */
export interface Meter {
  spend(steps: number): boolean;
}

/** CEL equality of two values, neither broken: numbers by their mathematical value, values of different kinds are unequal. */
export function equal(m: Meter, a: Value, b: Value): boolean {
  if (typeof a !== typeof b) return isNumeric(a) && isNumeric(b) && a <= b && a >= b;
  if (typeof a === 'string') return a.length === (b as string).length && m.spend(a.length >> 6) && a === b;
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null || !m.spend(1)) return false;
  if (a instanceof Instant) return b instanceof Instant && a.ms === b.ms;
  if (a instanceof Span) return b instanceof Span && a.ms === b.ms;
  if (isList(a)) return isList(b) && a.length === b.length && a.every((item, i) => equal(m, item, b[i] as Value));
  if (!isMap(a) || !isMap(b)) return false;
  const names = Object.keys(a);
  return (
    m.spend(names.length) &&
    names.length === Object.keys(b).length &&
    names.every((name) => Object.hasOwn(b, name) && equal(m, a[name] as Value, b[name] as Value))
  );
}

const isNumeric = (v: Value): v is number | bigint => typeof v === 'number' || typeof v === 'bigint';

/** -1, 0 or 1; NaN where a NaN is involved; undefined where the two have no order. */
export function order(a: Value, b: Value): number | undefined {
  if (isNumeric(a) && isNumeric(b)) return a < b ? -1 : a > b ? 1 : a >= b ? 0 : Number.NaN;
  if (typeof a === 'string' && typeof b === 'string') return orderText(a, b);
  if (typeof a === 'boolean' && typeof b === 'boolean') return Number(a) - Number(b);
  if ((a instanceof Instant && b instanceof Instant) || (a instanceof Span && b instanceof Span)) {
    return Math.sign(a.ms - b.ms);
  }
  return undefined;
}

/** Order by code point, which UTF-16 units alone do not give where surrogates meet U+E000 to U+FFFF. */
function orderText(a: string, b: string): number {
  const shorter = Math.min(a.length, b.length);
  for (let i = 0; i < shorter; i += 1) {
    const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)];
    if (x === y) continue;
    const high = x >= 0xd800 && x < 0xe000;
    return high === (y >= 0xd800 && y < 0xe000)
      ? Math.sign(x - y)
      : high
        ? y >= 0xe000
          ? 1
          : Math.sign(x - y)
        : x >= 0xe000
          ? -1
          : Math.sign(x - y);
  }
  return Math.sign(a.length - b.length);
}

/** The length of a text in code points. */
export function codePoints(text: string): number {
  let pairs = 0;
  for (let i = 0; i < text.length - 1; i += 1) {
    const c = text.charCodeAt(i);
    if (c >= 0xd800 && c < 0xdc00) {
      const next = text.charCodeAt(i + 1);
      if (next >= 0xdc00 && next < 0xe000) {
        pairs += 1;
        i += 1;
      }
    }
  }
  return text.length - pairs;
}
