import type { TextPart } from '../../domain/action.ts';
import { isArray, isObject, type Json } from '../../domain/json.ts';
import { childPointer, type Pointer } from '../../domain/pointer.ts';

const A_NAME = 'a member name';

/**
 * Every text of a value: its strings may be edited, the names of its members are read too and never edited (mcp-plane.md 9). Empty
 * texts and names of one character are left out; pointers begin with `at`.
 */
export function textParts(value: Json, at: Pointer = '', skip?: ReadonlySet<string>): TextPart[] {
  const parts: TextPart[] = [];
  collect(value, at, skip, undefined, parts);
  return parts;
}

/** The same where nothing may be edited, for `why`. */
export function frozenParts(value: Json, at: Pointer, why: string, skip?: ReadonlySet<string>): TextPart[] {
  const parts: TextPart[] = [];
  collect(value, at, skip, why, parts);
  return parts;
}

function collect(
  value: Json,
  at: Pointer,
  skip: ReadonlySet<string> | undefined,
  frozen: string | undefined,
  parts: TextPart[],
): void {
  if (typeof value === 'string') {
    if (value !== '') parts.push(frozen === undefined ? { at, text: value } : { at, text: value, frozen });
  } else if (isArray(value)) {
    for (const [i, item] of value.entries()) collect(item, childPointer(at, i), undefined, frozen, parts);
  } else if (isObject(value)) {
    for (const name of Object.keys(value)) {
      if (skip?.has(name)) continue;
      const inner = childPointer(at, name);
      // the name stands where its value does, under a token no value has
      if (name.length > 1 && !PLAIN_NAME.test(name))
        parts.push({ at: `${inner}/~0name`, text: name, frozen: frozen ?? A_NAME });
      collect(value[name] as Json, inner, undefined, frozen, parts);
    }
  }
}

/** A short word hides nothing; anything longer or stranger is read. */
const PLAIN_NAME = /^[A-Za-z][A-Za-z_-]{0,23}$/;
