import type { Kind } from './cel-type.ts';
import { kindOf } from './cel-type.ts';
import {
  Broken,
  equal,
  Instant,
  isInstant,
  isList,
  isMap,
  isSpan,
  MAX_INT,
  MIN_INT,
  order,
  Span,
  type Value,
} from './cel-value.ts';
import type { EvalContext } from './eval-context.ts';

const OVERFLOW = new Broken('integer overflow');
const BY_ZERO = new Broken('division by zero');
const TOO_BIG = new Broken('too many steps');
const NOT_BOOL = new Broken('a truth value was expected');
const NO_ORDER = new Broken('the two values have no order');

export const notBool = (v: Value): Broken => (v instanceof Broken ? v : NOT_BOOL);

const unfit = new Map<string, Broken>();

/** The error of an operator on kinds it does not know; one object per operator and kinds. */
function noOverload(op: string, a: Value, b: Value): Broken {
  const key = `${kindOf(a)} ${op} ${kindOf(b)}`;
  const known = unfit.get(key);
  if (known) return known;
  const broken = new Broken(`\`${key}\` is not defined`);
  unfit.set(key, broken);
  return broken;
}

const inRange = (n: bigint): Value => (n > MAX_INT || n < MIN_INT ? OVERFLOW : n);

/** `+ - * / %` on two values. A JSON number beside an int makes the int a double, except for `%`, which wants whole numbers. */
export function arithmetic(op: string, c: EvalContext, a: Value, b: Value): Value {
  if (typeof a === 'bigint' && typeof b === 'bigint') return ints(op, a, b);
  if ((typeof a === 'number' || typeof a === 'bigint') && (typeof b === 'number' || typeof b === 'bigint')) {
    return op === '%' ? remainder(a, b) : doubles(op, Number(a), Number(b));
  }
  if (op === '+') return plus(c, a, b);
  if (op === '-') return minus(a, b);
  return noOverload(op, a, b);
}

function ints(op: string, a: bigint, b: bigint): Value {
  switch (op) {
    case '+':
      return inRange(a + b);
    case '-':
      return inRange(a - b);
    case '*':
      return inRange(a * b);
    case '/':
      return b === 0n ? BY_ZERO : inRange(a / b);
    default:
      return b === 0n ? BY_ZERO : a % b;
  }
}

function doubles(op: string, a: number, b: number): number {
  return op === '+' ? a + b : op === '-' ? a - b : op === '*' ? a * b : a / b;
}

function remainder(a: number | bigint, b: number | bigint): Value {
  if (!Number.isSafeInteger(Number(a)) || !Number.isSafeInteger(Number(b))) return noOverload('%', a, b);
  return Number(b) === 0 ? BY_ZERO : BigInt(a) % BigInt(b);
}

const OUT_OF_RANGE = new Broken('the time is out of range');
const instant = (ms: number): Value => (isInstant(ms) ? new Instant(ms) : OUT_OF_RANGE);
const span = (ms: number): Value => (isSpan(ms) ? new Span(ms) : OUT_OF_RANGE);

function plus(c: EvalContext, a: Value, b: Value): Value {
  if (typeof a === 'string' && typeof b === 'string') return c.spend((a.length + b.length) >> 6) ? a + b : TOO_BIG;
  if (isList(a) && isList(b)) return c.spend(a.length + b.length) ? [...a, ...b] : TOO_BIG;
  if (a instanceof Instant && b instanceof Span) return instant(a.ms + b.ms);
  if (a instanceof Span && b instanceof Instant) return instant(a.ms + b.ms);
  return a instanceof Span && b instanceof Span ? span(a.ms + b.ms) : noOverload('+', a, b);
}

function minus(a: Value, b: Value): Value {
  if (a instanceof Instant && b instanceof Instant) return span(a.ms - b.ms);
  if (a instanceof Instant && b instanceof Span) return instant(a.ms - b.ms);
  return a instanceof Span && b instanceof Span ? span(a.ms - b.ms) : noOverload('-', a, b);
}

/** `< <= > >=` by the sign of the order; comparisons with NaN are false. */
export function compare(op: string, a: Value, b: Value): Value {
  if (typeof a === 'number' && typeof b === 'number')
    return op === '<' ? a < b : op === '<=' ? a <= b : op === '>' ? a > b : a >= b;
  const sign = order(a, b);
  if (sign === undefined) return NO_ORDER;
  return op === '<' ? sign < 0 : op === '<=' ? sign <= 0 : op === '>' ? sign > 0 : sign >= 0;
}

const NO_CONTAINER = new Broken('`in` needs a list or a map on its right');

export function within(c: EvalContext, item: Value, container: Value): Value {
  if (isList(container)) {
    if (!c.spend(container.length >> 2)) return TOO_BIG;
    for (let i = 0; i < container.length; i += 1) if (equal(c, item, container[i] as Value)) return true;
    return false;
  }
  if (!isMap(container)) return NO_CONTAINER;
  return typeof item === 'string' && Object.hasOwn(container, item);
}

const NO_ELEMENT = new Broken('the list has no such element');
const NO_MEMBER = new Broken('the map has no such member');
const NOT_INDEXED = new Broken('only lists and maps have members');

export function elementAt(container: Value, key: Value): Value {
  if (isList(container)) {
    if (typeof key !== 'number' && typeof key !== 'bigint') return NO_ELEMENT;
    return container[Number(key)] ?? (Number(key) in container ? null : NO_ELEMENT);
  }
  if (!isMap(container)) return NOT_INDEXED;
  return typeof key === 'string' && Object.hasOwn(container, key) ? (container[key] as Value) : NO_MEMBER;
}

/** Which result kinds `a op b` has at load, or undefined where no overload fits. */
export function arithmeticKind(op: string, a: Kind, b: Kind): Kind | undefined {
  if (a === 'dyn' || b === 'dyn') return 'dyn';
  if (a === b && (a === 'int' || (a === 'double' && op !== '%'))) return a;
  if (op === '+' && a === b && (a === 'string' || a === 'list' || a === 'duration')) return a;
  if (a === 'timestamp' && b === 'duration' && (op === '+' || op === '-')) return 'timestamp';
  if (a === 'duration' && b === 'timestamp' && op === '+') return 'timestamp';
  if (op === '-' && a === b && (a === 'timestamp' || a === 'duration')) return 'duration';
  return undefined;
}
