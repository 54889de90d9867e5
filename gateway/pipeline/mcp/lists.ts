import { asString, isArray, type Json, member } from '../../domain/json.ts';
import { elementSpans } from '../../domain/json-text.ts';
import type { RpcMessage } from '../../ports/mcp-wire.ts';
import type { Definition, PinKind } from '../../ports/pins.ts';

/** A method that lists what a server offers. */
export interface ListKind {
  readonly method: string;
  /** the member of the result that holds the items */
  readonly member: string;
  /** undefined: not pinned */
  readonly pinned: PinKind | undefined;
}

const LISTS: ReadonlyMap<string, ListKind> = new Map(
  [
    { method: 'tools/list', member: 'tools', pinned: 'tool' as const },
    { method: 'prompts/list', member: 'prompts', pinned: 'prompt' as const },
    { method: 'resources/list', member: 'resources', pinned: undefined },
    { method: 'resources/templates/list', member: 'resourceTemplates', pinned: undefined },
    { method: 'tasks/list', member: 'tasks', pinned: undefined },
  ].map((list) => [list.method, list]),
);

export const listOf = (method: string): ListKind | undefined => LISTS.get(method);

/** The definitions a page of a list holds, as they were spelled; an item without a name has the name ''. */
export function definitionsIn(response: RpcMessage, list: ListKind & { readonly pinned: PinKind }): Definition[] {
  const { text, value } = response.doc;
  const items: Json | undefined = member(value['result'], list.member);
  const spans = elementSpans(text, `/result/${list.member}`);
  if (!isArray(items) || !spans) return [];
  return spans.map(({ start, end }, i) => ({
    kind: list.pinned,
    name: asString(member(items[i], 'name')) ?? '',
    doc: { text: text.slice(start, end), value: items[i] as Json },
  }));
}

/** The page is the whole list: no cursor was asked for, and none was given. */
export const isWhole = (request: RpcMessage, response: RpcMessage): boolean =>
  member(request.doc.value['params'], 'cursor') === undefined &&
  member(response.doc.value['result'], 'nextCursor') === undefined;
