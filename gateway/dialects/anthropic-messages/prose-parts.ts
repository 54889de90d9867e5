import type { TextPart } from '../../domain/action.ts';
import { isArray, isObject, type Json } from '../../domain/json.ts';
import { childPointer, type Pointer } from '../../domain/pointer.ts';

/** Members whose strings are ids, kinds, base64 or ciphertext. */
const NOT_PROSE = /^(?:type|id|.*_id|media_type|data|signature|encrypted_.*|cache_control|page_age|error_code)$/;

/** The strings of a block the gate has no schema for, frozen for the reason given: read, never edited. */
export function proseParts(value: Json, at: Pointer, frozen: string): TextPart[] {
  if (typeof value === 'string') return value === '' ? [] : [{ at, text: value, frozen }];
  if (isArray(value)) return value.flatMap((item, i) => proseParts(item, childPointer(at, i), frozen));
  if (!isObject(value)) return [];
  return Object.entries(value).flatMap(([name, item]) =>
    NOT_PROSE.test(name) ? [] : proseParts(item, childPointer(at, name), frozen),
  );
}
