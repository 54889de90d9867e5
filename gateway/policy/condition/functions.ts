import { globMatches, parseGlob } from '../glob.ts';
import { compilePattern } from '../linear-pattern.ts';
import type { Kind } from './cel-type.ts';
import { Broken, codePoints, Instant, isList, MAX_INT, MIN_INT, Span, type Value } from './cel-value.ts';
import type { EvalContext } from './eval-context.ts';
import { pairsOf } from './text-sketch.ts';
import { parseDuration, parseTimestamp } from './time-text.ts';

/** The work of a function. A method's receiver is its first argument. Returns a number where the result is an `int` that fits. */
export type Work = (c: EvalContext, a: Value, b: Value) => Value;

/** One function conditions may call. The table is the authority; the documentation of the language is generated from it. */
export interface CelFunction {
  readonly name: string;
  /** `method`: `a.name(b)`; `function`: `name(a, b)`; `run`: a method of the group `run` */
  readonly form: 'method' | 'function' | 'run';
  /** kinds each argument may have, the receiver first */
  readonly params: readonly (readonly Kind[])[];
  readonly result: 'bool' | 'int' | 'double' | 'string' | 'timestamp' | 'duration' | 'dyn';
  readonly doc: string;
  readonly work: Work;
  /** the last argument must be a literal: the work for it, made at load. Throws a SyntaxError on a literal that can't be used. */
  readonly prepare?: ((literal: string) => Work) | undefined;
  /** the work where the last argument happens to be a literal; it is made at load */
  readonly withLiteral?: ((literal: string) => Work) | undefined;
  /** what it reads besides its arguments */
  readonly reads?: 'findings' | undefined;
}

const TEXT: readonly Kind[] = ['string'];
const TIME: readonly Kind[] = ['timestamp'];
const needsLiteral: Work = () => new Broken('the last argument must be a literal');

const NO_LAST = new Broken('this gate does not know when a run last called a tool');
const FORGOTTEN = new Broken('the run is older than what this gate remembers of its tool calls');
const TOO_MANY_STEPS = new Broken('too many steps');

const text = (v: Value): string => v as string;

function method(name: string, doc: string, work: Work): CelFunction {
  return { name, form: 'method', params: [TEXT, TEXT], result: 'bool', doc, work };
}

function onText(name: string, doc: string, change: (s: string) => string): CelFunction {
  const work: Work = (c, a) => (c.spend(text(a).length >> 6) ? change(text(a)) : TOO_MANY_STEPS);
  return { name, form: 'function', params: [TEXT], result: 'string', doc, work };
}

function getter(name: string, doc: string, read: (date: Date) => number): CelFunction {
  const work: Work = (_, a) => read(new Date((a as Instant).ms));
  return { name, form: 'method', params: [TIME], result: 'int', doc: `${doc}, UTC`, work };
}

const NOT_INT = new Broken('the value is no whole number a 64-bit `int` can hold');
const NOT_DOUBLE = new Broken('the text is not a number');
const NOT_BOOL = new Broken('the text is neither `true` nor `false`');
const NOT_TEXT = new Broken('the value has no text form');

function toInt(v: Value): Value {
  if (typeof v === 'bigint') return v;
  if (v instanceof Instant) return BigInt(Math.floor(v.ms / 1000));
  if (typeof v === 'string' && !/^-?[0-9]{1,19}$/.test(v)) return NOT_INT;
  if (typeof v === 'number' && !(Math.abs(v) < 2 ** 63)) return NOT_INT;
  const int = typeof v === 'number' ? BigInt(Math.trunc(v)) : BigInt(text(v));
  return int > MAX_INT || int < MIN_INT ? NOT_INT : int;
}

function toDouble(v: Value): Value {
  if (typeof v !== 'string') return Number(v);
  if (/^[+-]?(Infinity|NaN)$/i.test(v)) return Number(v.replace(/infinity/i, 'Infinity').replace(/nan/i, 'NaN'));
  return /^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$/.test(v) ? Number(v) : NOT_DOUBLE;
}

function toBool(v: Value): Value {
  if (typeof v === 'boolean') return v;
  if (v === 'true' || v === 'True' || v === 'TRUE' || v === 't' || v === '1') return true;
  return v === 'false' || v === 'False' || v === 'FALSE' || v === 'f' || v === '0' ? false : NOT_BOOL;
}

function toText(v: Value): Value {
  if (v instanceof Instant) return new Date(v.ms).toISOString().replace('.000Z', 'Z');
  if (v instanceof Span) return `${v.ms / 1000}s`;
  return typeof v === 'object' ? NOT_TEXT : String(v);
}

function size(_: EvalContext, v: Value): Value {
  if (typeof v === 'string') return codePoints(v);
  return isList(v) ? v.length : Object.keys(v as object).length;
}

function lastCall({ snapshot }: EvalContext, tool: Value): Value {
  const { last_at, forgotten } = snapshot.run;
  if (last_at === undefined) return NO_LAST;
  const at = last_at.get(text(tool));
  if (at === undefined) return forgotten ? FORGOTTEN : Number.POSITIVE_INFINITY;
  return Math.max(0, snapshot.now - at) / 1000;
}

function foundAs(pattern: string): Work {
  const glob = parseGlob(pattern);
  return (c) => c.snapshot.findings.some((f) => f.status === 'unknown' || globMatches(glob, f.kind));
}

const SIZED: readonly Kind[] = ['string', 'list', 'map'];
const sizeDoc = 'characters of a text (code points), elements of a list, members of a map';

export const FUNCTIONS: readonly CelFunction[] = [
  { name: 'size', form: 'function', params: [SIZED], result: 'int', doc: sizeDoc, work: size },
  { name: 'size', form: 'method', params: [SIZED], result: 'int', doc: sizeDoc, work: size },
  {
    ...method(
      'startsWith',
      'the text begins with the other',
      (c, a, b) => c.spend(text(b).length >> 6) && text(a).startsWith(text(b)),
    ),
    withLiteral: beginning,
  },
  {
    ...method(
      'endsWith',
      'the text ends with the other',
      (c, a, b) => c.spend(text(b).length >> 6) && text(a).endsWith(text(b)),
    ),
    withLiteral: ending,
  },
  {
    ...method('contains', 'the other text stands somewhere in the text', (c, a, b) =>
      c.spend(text(a).length >> 6) ? text(a).includes(text(b)) : TOO_MANY_STEPS,
    ),
    withLiteral: containing,
  },
  {
    ...method('matches', 'the pattern (RE2, linear time) is found somewhere in the text', needsLiteral),
    prepare: matching,
  },
  {
    name: 'matches',
    form: 'function',
    params: [TEXT, TEXT],
    result: 'bool',
    doc: 'same as the method',
    work: needsLiteral,
    prepare: matching,
  },
  {
    name: 'glob',
    form: 'function',
    params: [TEXT, TEXT],
    result: 'bool',
    doc: 'the whole text matches a pattern with `*` and `?`',
    work: needsLiteral,
    prepare: (pattern) => {
      const glob = parseGlob(pattern);
      return (c, a) => (c.spend((text(a).length * pattern.length) >> 6) ? globMatches(glob, text(a)) : TOO_MANY_STEPS);
    },
  },
  onText('lower', 'the text in lower case', (s) => s.toLowerCase()),
  onText('upper', 'the text in upper case', (s) => s.toUpperCase()),
  onText('trim', 'the text without white space at both ends', (s) => s.trim()),
  {
    name: 'calls',
    form: 'run',
    params: [TEXT],
    result: 'int',
    doc: 'how often this run has called the tool',
    work: (c, a) => c.snapshot.run.calls.get(text(a)) ?? 0,
  },
  {
    name: 'last',
    form: 'run',
    params: [TEXT],
    result: 'double',
    doc: 'seconds since this run last called the tool; endless where it never did',
    work: lastCall,
  },
  {
    name: 'found',
    form: 'function',
    params: [TEXT],
    result: 'bool',
    doc: 'a finding of this kind (a pattern such as `secret.*`) is there, or a detector failed',
    work: needsLiteral,
    prepare: foundAs,
    reads: 'findings',
  },
  {
    name: 'int',
    form: 'function',
    params: [['int', 'double', 'string', 'timestamp']],
    result: 'int',
    doc: 'as a whole number, towards zero',
    work: (_, a) => toInt(a),
  },
  {
    name: 'double',
    form: 'function',
    params: [['int', 'double', 'string']],
    result: 'double',
    doc: 'as a floating-point number',
    work: (_, a) => toDouble(a),
  },
  {
    name: 'string',
    form: 'function',
    params: [['int', 'double', 'string', 'bool', 'timestamp', 'duration']],
    result: 'string',
    doc: 'as text',
    work: (_, a) => toText(a),
  },
  {
    name: 'bool',
    form: 'function',
    params: [['bool', 'string']],
    result: 'bool',
    doc: 'as a truth value',
    work: (_, a) => toBool(a),
  },
  {
    name: 'dyn',
    form: 'function',
    params: [['dyn']],
    result: 'dyn',
    doc: 'the value, its type left open',
    work: (_, a) => a,
  },
  {
    name: 'timestamp',
    form: 'function',
    params: [TEXT],
    result: 'timestamp',
    doc: 'the point in time an RFC 3339 literal names',
    work: needsLiteral,
    prepare: (literal) => {
      const instant = parseTimestamp(literal);
      return () => instant;
    },
  },
  {
    name: 'duration',
    form: 'function',
    params: [TEXT],
    result: 'duration',
    doc: 'a length of time: `"90s"`, `"1h30m"`',
    work: needsLiteral,
    prepare: (literal) => {
      const span = parseDuration(literal);
      return () => span;
    },
  },
  getter('getFullYear', 'year', (d) => d.getUTCFullYear()),
  getter('getMonth', 'month from 0', (d) => d.getUTCMonth()),
  getter('getDate', 'day of the month from 1', (d) => d.getUTCDate()),
  getter('getDayOfMonth', 'day of the month from 0', (d) => d.getUTCDate() - 1),
  getter('getDayOfWeek', 'day of the week, Sunday is 0', (d) => d.getUTCDay()),
  getter('getDayOfYear', 'day of the year from 0', dayOfYear),
  getter('getHours', 'hour', (d) => d.getUTCHours()),
  getter('getMinutes', 'minute', (d) => d.getUTCMinutes()),
  getter('getSeconds', 'second', (d) => d.getUTCSeconds()),
];

function dayOfYear(d: Date): number {
  return Math.floor((d.getTime() - Date.UTC(d.getUTCFullYear(), 0, 1)) / 86_400_000);
}

function matching(literal: string): Work {
  const pattern = compilePattern(literal);
  const pairs = pairsOf(pattern.needed);
  return (c, a) => {
    if (!c.spend(text(a).length >> 4)) return TOO_MANY_STEPS;
    return !c.sketch.rulesOut(text(a), pairs) && pattern.test(text(a));
  };
}

function containing(literal: string): Work {
  const pairs = pairsOf(literal);
  return (c, a) => {
    if (!c.spend(text(a).length >> 6)) return TOO_MANY_STEPS;
    return !c.sketch.rulesOut(text(a), pairs) && text(a).includes(literal);
  };
}

/** One character that differs settles most texts: the last one of a beginning, the first one of an end. */
function beginning(literal: string): Work {
  const last = literal.length - 1;
  const unit = literal.charCodeAt(last);
  if (last < 0) return () => true;
  return (_, a) => text(a).charCodeAt(last) === unit && text(a).startsWith(literal);
}

function ending(literal: string): Work {
  const { length } = literal;
  const unit = literal.charCodeAt(0);
  if (length === 0) return () => true;
  return (_, a) => text(a).charCodeAt(text(a).length - length) === unit && text(a).endsWith(literal);
}
