import type { Scalar } from 'yaml';

const SPACE = /\s/;
const LONG_ESCAPES: Readonly<Record<string, number>> = { x: 4, u: 6, U: 10 };

/**
 * Maps offsets in a YAML text value to offsets in the file, so that a mistake inside a condition has a column of its own.
 * Follows the characters of the value through quotes, escapes, folded lines and indentation.
 */
export function scalarOffsets(source: string, node: Scalar<string>): (at: number) => number {
  const [start, end] = node.range ?? [0, 0];
  const { value, type } = node;
  const isDouble = type === 'QUOTE_DOUBLE';
  let s = start;
  if (isDouble || type === 'QUOTE_SINGLE') s += 1;
  if (type === 'BLOCK_LITERAL' || type === 'BLOCK_FOLDED') s = Math.max(start, source.indexOf('\n', start) + 1);
  const offsets: number[] = [];
  for (let v = 0; v < value.length; v += 1) {
    const c = value.charAt(v);
    const blank = SPACE.test(c);
    if (!blank || (isDouble && source.charAt(s) !== '\\')) s = skipBreaks(source, s, blank, isDouble);
    offsets.push(Math.min(s, end));
    s += lengthAt(source, s, c, blank, type);
  }
  return (at) =>
    at < offsets.length
      ? (offsets[at] as number)
      : Math.min(offsets.length > 0 ? (offsets.at(-1) as number) + 1 : start, end);
}

/** Skips what the value does not hold: indentation, line breaks, an escaped line break. */
function skipBreaks(source: string, from: number, blank: boolean, isDouble: boolean): number {
  let s = from;
  if (blank) return s;
  for (;;) {
    if (SPACE.test(source.charAt(s))) s += 1;
    else if (isDouble && source.charAt(s) === '\\' && /[\r\n]/.test(source.charAt(s + 1))) s += 2;
    else return s;
  }
}

/** How much of the source one character of the value takes. */
function lengthAt(source: string, s: number, c: string, blank: boolean, type: string | undefined): number {
  if (type === 'QUOTE_SINGLE' && c === "'") return 2;
  if (type === 'QUOTE_DOUBLE' && source.charAt(s) === '\\') {
    // The first half of a pair that one escape spells takes nothing: the second takes it all.
    return source.charAt(s + 1) === 'U' && /[\ud800-\udbff]/.test(c) ? 0 : (LONG_ESCAPES[source.charAt(s + 1)] ?? 2);
  }
  return blank && !SPACE.test(source.charAt(s)) ? 0 : 1;
}
