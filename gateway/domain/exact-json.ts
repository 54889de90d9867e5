import { canonical } from './canonical.ts';

/** A JSON number that a double cannot hold, as it was written. */
export class SourceNumber {
  readonly source: string;
  constructor(source: string) {
    this.source = source;
  }
}

/** A JSON value that lost nothing of its text's meaning. */
export type ExactJson = null | boolean | number | string | SourceNumber | readonly ExactJson[] | ExactObject;
export interface ExactObject {
  readonly [name: string]: ExactJson;
}

export const isExactObject = (value: ExactJson | undefined): value is ExactObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof SourceNumber);

/** Digits and exponent without what changes no value: `1.50e3` and `1500` are both `15e2`; undefined: no JSON number. */
function decimal(source: string): string | undefined {
  const parts = /^(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?$/.exec(source);
  if (!parts) return undefined;
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = parts;
  const digits = `${whole}${fraction}`.replace(/^0+/, '');
  if (digits === '') return '0';
  let end = digits.length;
  while (digits.charCodeAt(end - 1) === 48) end -= 1;
  return `${sign}${digits.slice(0, end)}e${Number(exponent) - fraction.length + digits.length - end}`;
}

/** True where a double's shortest text (RFC 8785) says the same number as the source. */
const isHeld = (value: number, source: string): boolean =>
  Number.isFinite(value) && decimal(String(value)) === decimal(source);

/** Parses text that is known to be JSON; a number that a double cannot hold keeps its source text. Throws a SyntaxError on anything else. */
export function parseExact(text: string): ExactJson {
  const revive = (_: string, value: unknown, context?: { readonly source?: string }): unknown => {
    const source = context?.source;
    return typeof value === 'number' && source !== undefined && !isHeld(value, source)
      ? new SourceNumber(source)
      : value;
  };
  return JSON.parse(text, revive) as ExactJson;
}

/** Canonical text as RFC 8785 has it; a number that a double cannot hold stands as it was written. Throws a TypeError on a lone surrogate. */
export function canonicalExact(value: ExactJson): string {
  if (value instanceof SourceNumber) return value.source;
  if (Array.isArray(value)) return `[${(value as readonly ExactJson[]).map(canonicalExact).join(',')}]`;
  if (!isExactObject(value)) return canonical(value as null | boolean | number | string);
  const members = Object.keys(value)
    .sort()
    .map((name) => `${canonical(name)}:${canonicalExact(value[name] as ExactJson)}`);
  return `{${members.join(',')}}`;
}

/** The same value over several lines, two spaces deeper per level, members in canonical order; strings as `quote` writes them. */
export function prettyExact(value: ExactJson, quote: (text: string) => string = canonical, indent = ''): string {
  const deeper = `${indent}  `;
  if (typeof value === 'string') return quote(value);
  if (Array.isArray(value)) {
    const items = (value as readonly ExactJson[]).map((item) => `${deeper}${prettyExact(item, quote, deeper)}`);
    return items.length === 0 ? '[]' : `[\n${items.join(',\n')}\n${indent}]`;
  }
  if (!isExactObject(value)) return canonicalExact(value);
  const members = Object.keys(value)
    .sort()
    .map((name) => `${deeper}${quote(name)}: ${prettyExact(value[name] as ExactJson, quote, deeper)}`);
  return members.length === 0 ? '{}' : `{\n${members.join(',\n')}\n${indent}}`;
}
