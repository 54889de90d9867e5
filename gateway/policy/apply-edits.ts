import type { Edit } from '../domain/action.ts';
import { isArray, isObject, type Json } from '../domain/json.ts';
import { pointerTokens } from '../domain/pointer.ts';

const INDEX = /^(0|[1-9][0-9]*)$/;

/**
 * The target with the edits made, one after the other: each pointer is read against what the ones before it left. Untouched parts
 * are shared with the target. Throws a RangeError where an edit has nowhere to land.
 */
export function applyEdits(target: Json, edits: readonly Edit[]): Json {
  return edits.reduce<Json>((value, edit) => applyAt(value, pointerTokens(edit.at), 0, edit), target);
}

function applyAt(value: Json, tokens: readonly string[], depth: number, edit: Edit): Json {
  const token = tokens[depth];
  if (token === undefined) {
    if (edit.op === 'remove') throw new RangeError('the whole target cannot be removed');
    return edit.value;
  }
  const last = depth === tokens.length - 1;
  if (isObject(value)) return inObject(value, token, last, edit, (child) => applyAt(child, tokens, depth + 1, edit));
  if (isArray(value)) return inArray(value, token, last, edit, (child) => applyAt(child, tokens, depth + 1, edit));
  throw new RangeError(`\`${edit.at}\` has nowhere to land`);
}

type Inner = (child: Json) => Json;

function inObject(
  value: { readonly [name: string]: Json },
  token: string,
  last: boolean,
  edit: Edit,
  inner: Inner,
): Json {
  const there = Object.hasOwn(value, token);
  if (!there && !(last && edit.op === 'set')) throw new RangeError(`\`${edit.at}\` has nowhere to land`);
  if (last && edit.op === 'remove') return Object.fromEntries(Object.entries(value).filter(([name]) => name !== token));
  const child = last && edit.op === 'set' ? edit.value : inner(value[token] as Json);
  return there
    ? Object.fromEntries(Object.entries(value).map(([name, old]) => [name, name === token ? child : old]))
    : Object.fromEntries([...Object.entries(value), [token, child]]);
}

function inArray(value: readonly Json[], token: string, last: boolean, edit: Edit, inner: Inner): Json {
  const index = INDEX.test(token) ? Number(token) : value.length;
  if (index >= value.length) throw new RangeError(`\`${edit.at}\` has nowhere to land`);
  if (last && edit.op === 'remove') return value.toSpliced(index, 1);
  return value.with(index, last && edit.op === 'set' ? edit.value : inner(value[index] as Json));
}
