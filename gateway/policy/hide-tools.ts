import { isArray, isObject, type Json, type JsonObject, member } from '../domain/json.ts';
import { childPointer, type Pointer } from '../domain/pointer.ts';
import { type Glob, globMatches } from './glob.ts';

/** Where requests declare tools: each list, and what has to go with it once it is empty. */
const LISTS: readonly { readonly path: readonly string[]; readonly emptied: readonly Pointer[] }[] = [
  { path: ['tools'], emptied: ['/tools', '/tool_choice', '/parallel_tool_calls', '/toolConfig'] },
  { path: ['functions'], emptied: ['/functions', '/function_call'] },
  { path: ['toolConfig', 'tools'], emptied: ['/toolConfig'] },
];

/** Members of a tool that hold its declaration one level further in. */
const WRAPPERS = ['function', 'toolSpec'];

/** Members of a tool that hold several declarations. */
const NESTS = ['functionDeclarations', 'function_declarations'];

/** The name a model calls a tool by: its own, that of what it wraps, or, for a provider's built-in tool, its type. */
function nameOf(tool: Json): string | undefined {
  for (const holder of [tool, ...WRAPPERS.map((w) => member(tool, w))]) {
    const name = member(holder, 'name');
    if (typeof name === 'string') return name;
  }
  const type = member(tool, 'type');
  return typeof type === 'string' ? type : undefined;
}

const hidden = (name: string | undefined, globs: readonly Glob[]): boolean =>
  name !== undefined && globs.some((glob) => globMatches(glob, name));

/**
 * The places of the declarations to remove from a request, last first, so that each is right when its turn comes. A list that would be
 * empty goes whole, with the choice made from it. Empty where nothing matches.
 */
export function toolsToHide(request: Json, globs: readonly Glob[]): readonly Pointer[] {
  if (!isObject(request)) return [];
  return LISTS.flatMap(({ path, emptied }) => {
    const list = path.reduce<Json | undefined>((value, name) => member(value, name), request);
    if (!isArray(list)) return [];
    const at = path.reduce((pointer, name) => childPointer(pointer, name), '');
    const gone = list.map((tool, i) => declarations(tool, childPointer(at, i), globs));
    if (gone.every((g) => g === 'whole')) return list.length === 0 ? [] : emptied.filter((p) => has(request, p));
    return gone.flatMap((g, i) => (g === 'whole' ? [childPointer(at, i)] : g)).reverse();
  });
}

const has = (request: JsonObject, pointer: Pointer): boolean => Object.hasOwn(request, pointer.slice(1));

/** What of one element goes: all of it, or the places of some of its declarations. */
function declarations(tool: Json, at: Pointer, globs: readonly Glob[]): 'whole' | readonly Pointer[] {
  for (const nest of NESTS) {
    const list = member(tool, nest);
    if (!isArray(list)) continue;
    const gone = list.flatMap((d, i) => (hidden(nameOf(d), globs) ? [childPointer(childPointer(at, nest), i)] : []));
    const alone = isObject(tool) && Object.keys(tool).length === 1;
    if (gone.length < list.length || gone.length === 0) return gone;
    return alone ? 'whole' : [childPointer(at, nest)];
  }
  return hidden(nameOf(tool), globs) ? 'whole' : [];
}
