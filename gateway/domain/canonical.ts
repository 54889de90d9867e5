import { isArray, type Json } from './json.ts';

const LONE_SURROGATE = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;

/**
 * The canonical text of a JSON value (RFC 8785): members sorted by UTF-16 code unit, ECMAScript numbers, no white space.
 * Throws a TypeError on what has no canonical form: a lone surrogate, NaN or an infinity.
 */
export function canonical(value: Json): string {
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new TypeError(`\`${value}\` has no canonical JSON form`);
    return JSON.stringify(value);
  }
  if (typeof value === 'string') {
    if (LONE_SURROGATE.test(value)) throw new TypeError('a string with a lone surrogate has no canonical JSON form');
    return JSON.stringify(value);
  }
  if (isArray(value)) return `[${value.map(canonical).join(',')}]`;
  let text = '';
  for (const name of Object.keys(value).sort()) {
    const member = value[name];
    if (member !== undefined) text += `${text === '' ? '' : ','}${canonical(name)}:${canonical(member)}`;
  }
  return `{${text}}`;
}
