import { isArray, isObject, type Json } from '../domain/json.ts';
import { childPointer, elementIndex, type Pointer, pointerTokens } from '../domain/pointer.ts';

/** Where a pointer pattern leads in a target. */
export interface Landing {
  readonly at: Pointer;
  /** undefined: an absent member of a present object */
  readonly value: Json | undefined;
}

/**
 * Every place a pattern names, absent members of present objects included; a token `*` stands for each element of one array.
 * Undefined where the way there does not exist. An array without elements is a way that leads to no place.
 */
export function landings(target: Json, pattern: Pointer): readonly Landing[] | undefined {
  const tokens = pointerTokens(pattern);
  let places: Landing[] = [{ at: '', value: target }];
  for (const token of tokens) {
    const next: Landing[] = [];
    for (const { at, value } of places) {
      if (isArray(value) && token === '*')
        for (const [i, item] of value.entries()) next.push({ at: childPointer(at, i), value: item });
      else if (isArray(value)) {
        const item = value[elementIndex(token)];
        if (item === undefined) return undefined;
        next.push({ at: childPointer(at, token), value: item });
      } else if (isObject(value)) {
        next.push({
          at: childPointer(at, token),
          value: Object.hasOwn(value, token) ? (value[token] as Json) : undefined,
        });
      } else return undefined;
    }
    places = next;
  }
  return places;
}
