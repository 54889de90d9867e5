import { isArray, type Json, type JsonObject } from './json.ts';

/** What a long string is written as, without quotes; undefined: it is short, and written out. */
export type Shorten = (text: string) => string | undefined;

/**
 * The canonical text of a JSON value (RFC 8785): members sorted by UTF-16 code unit, ECMAScript numbers, no white space. With `shorten`,
 * a text of our own that tells values apart as well and is cheaper where strings are long. Throws a TypeError on what has no canonical
 * form: a lone surrogate, NaN or an infinity.
 */
export function canonical(value: Json, shorten?: Shorten): string {
  if (typeof value === 'string') return shorten?.(value) ?? canonicalString(value);
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new TypeError(`\`${value}\` has no canonical JSON form`);
    return JSON.stringify(value);
  }
  return isArray(value) ? canonicalArray(value, shorten) : canonicalObject(value, shorten);
}

const LONE_SURROGATE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;

function canonicalString(value: string): string {
  const text = JSON.stringify(value);
  // half a character is written as an escape, so only a text with such an escape needs a closer look
  if (text.includes('\\ud') && LONE_SURROGATE.test(value))
    throw new TypeError('a string with a lone surrogate has no canonical JSON form');
  return text;
}

function canonicalArray(value: readonly Json[], shorten: Shorten | undefined): string {
  let text = '[';
  for (let i = 0; i < value.length; i += 1)
    text += i === 0 ? canonical(value[i] as Json, shorten) : `,${canonical(value[i] as Json, shorten)}`;
  return `${text}]`;
}

function canonicalObject(value: JsonObject, shorten: Shorten | undefined): string {
  let text = '';
  for (const name of sortedNames(value)) {
    const member = value[name];
    if (member !== undefined) text += `${text === '' ? '' : ','}${canonicalString(name)}:${canonical(member, shorten)}`;
  }
  return `{${text}}`;
}

/** Sorting copies its array, and most objects are written in order already. */
function sortedNames(value: JsonObject): string[] {
  const names = Object.keys(value);
  return names.every((name, i) => i === 0 || (names[i - 1] as string) < name) ? names : names.sort();
}
