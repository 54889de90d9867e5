import type { Edit } from '../domain/action.ts';
import { isArray, isObject, type Json } from '../domain/json.ts';
import { childPointer, elementIndex, type Pointer } from '../domain/pointer.ts';
import { GONE, type PointerNode, type PointerTree, steps } from '../domain/pointer-tree.ts';

/**
 * The target with the edits made, one after the other: each pointer is read against what the ones before it left. Untouched parts
 * are shared with the target. Throws a RangeError where an edit has nowhere to land.
 */
export function applyEdits(target: Json, edits: readonly Edit[]): Json {
  let value = target;
  for (const tree of steps(edits, (edit) => (edit.op === 'set' ? edit.value : undefined))) value = changed(value, tree);
  return value;
}

/** The target with all that a tree of edits says. Throws a RangeError where one has nowhere to land. */
export function changed(target: Json, { root }: PointerTree<Json>): Json {
  if (root.value === GONE) throw new RangeError('the whole target cannot be removed');
  return edited(target, root, '') as Json;
}

/** undefined: the value is gone */
function edited(value: Json, { value: whole, children }: PointerNode<Json>, at: Pointer): Json | undefined {
  if (whole === GONE) return undefined;
  if (whole !== undefined) return whole;
  if (isArray(value)) return elements(value, children, at);
  if (isObject(value)) return members(value, children, at);
  throw nowhere(at);
}

const nowhere = (at: Pointer): RangeError => new RangeError(`\`${at}\` has nowhere to land`);

function elements(list: readonly Json[], children: PointerNode<Json>['children'], at: Pointer): Json {
  const result: (Json | undefined)[] = list.slice();
  for (const [token, node] of children) {
    const [index, place] = [elementIndex(token), childPointer(at, token)];
    if (index === -1 || index >= list.length) throw nowhere(place);
    result[index] = edited(list[index] as Json, node, place);
  }
  return result.filter((element) => element !== undefined);
}

function members(map: { readonly [name: string]: Json }, children: PointerNode<Json>['children'], at: Pointer): Json {
  const absent = new Map(children);
  const result = Object.entries(map).map(([name, value]) => {
    const node = absent.get(name);
    absent.delete(name);
    return [name, node ? edited(value, node, childPointer(at, name)) : value] as const;
  });
  for (const [name, { value }] of absent) {
    if (value === undefined || value === GONE) throw nowhere(childPointer(at, name));
    result.push([name, value]);
  }
  return Object.fromEntries(result.filter((member): member is readonly [string, Json] => member[1] !== undefined));
}
