import type { TextPart } from '../../domain/action.ts';
import { isArray, isObject, type Json } from '../../domain/json.ts';
import { childPointer, type Pointer } from '../../domain/pointer.ts';

/** Every string inside `value` as a text part, in document order; pointers begin with `at`. Empty strings are left out. */
export function stringParts(value: Json, at: Pointer = ''): TextPart[] {
  if (typeof value === 'string') return value === '' ? [] : [{ at, text: value }];
  if (isArray(value)) return value.flatMap((item, i) => stringParts(item, childPointer(at, i)));
  if (isObject(value))
    return Object.entries(value).flatMap(([name, item]) => stringParts(item, childPointer(at, name)));
  return [];
}
