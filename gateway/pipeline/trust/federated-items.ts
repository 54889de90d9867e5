import { isArray, isObject, type Json, member } from '../../domain/json.ts';
import { type Splice, spliceAll } from '../../domain/json-splice.ts';
import { childPointer, type Pointer } from '../../domain/pointer.ts';
import { visibleStart } from '../../domain/visible-text.ts';
import type { McpNames } from '../../ports/mcp-names.ts';
import type { PinKind } from '../../ports/pins.ts';

/** One item of an upstream's list on its way to the federated endpoint. */
export interface ListItem {
  readonly server: string;
  readonly kind: Exclude<PinKind, 'instructions'> | 'task';
  /** the name of a tool or prompt; the URI or URI template of a resource; the id of a task */
  readonly name: string;
  /** exactly as the upstream wrote it */
  readonly text: string;
}

/** An item as the federated endpoint shows it, or why it is served on `/mcp/<server>` only. */
export type FederatedItem =
  | { readonly item: ListItem; readonly exposed: string; readonly text: string }
  | { readonly item: ListItem; readonly hidden: string };

const TOOL_MEMBER = /tools?$|tool[_-]?names?$/i;
const URI_MEMBER = /uri$|template$/i;

/**
 * Renames one item and the references in its `_meta`; every other byte stays. `own` are the names its server offers. Resources keep
 * their URIs and must be owned by their server alone; tasks keep their ids.
 */
export function federateItem(item: ListItem, names: McpNames, own: ReadonlySet<string>): FederatedItem {
  if (item.kind === 'task') return { item, exposed: item.name, text: item.text };
  const shown = `\`${visibleStart(item.name, 64)}\``;
  const edits: Splice[] = [];
  let exposed = item.name;
  if (item.kind === 'resource') {
    const owner = names.ownerOf(templateStart(item.name));
    if (owner !== item.server) return { item, hidden: unowned(shown, item.server, owner) };
  } else {
    const name = names.expose(item.server, item.name);
    if (name === undefined) {
      const hidden = `${shown} of the server \`${item.server}\` makes no name of at most 64 letters, digits, \`_\` and \`-\`; give it an alias`;
      return { item, hidden };
    }
    exposed = name;
    edits.push({ at: '/name', json: JSON.stringify(name) });
  }
  const meta = member(JSON.parse(item.text) as Json, '_meta');
  const bad = references(meta, '/_meta', '', item.server, names, own, edits);
  return bad === undefined
    ? { item, exposed, text: spliceAll(item.text, edits) }
    : { item, hidden: `${shown}: ${bad}` };
}

const templateStart = (uri: string): string => uri.split('{')[0] ?? '';

const unowned = (shown: string, server: string, owner: string | undefined): string =>
  owner === undefined
    ? `no server owns ${shown}; name its prefix in \`resources\` of \`${server}\``
    : owner === 'ambiguous'
      ? `several servers own ${shown}; a resource has one owner`
      : `${shown} belongs to the server \`${owner}\`, and \`${server}\` offers it`;

/** Adds the edits for every reference below `value`; returns why one of them cannot be mapped. */
function references(
  value: Json | undefined,
  at: Pointer,
  name: string,
  server: string,
  names: McpNames,
  own: ReadonlySet<string>,
  edits: Splice[],
): string | undefined {
  if (typeof value === 'string') return reference(value, at, name, server, names, own, edits);
  const inner: [string | number, Json][] = isArray(value)
    ? [...value.entries()]
    : isObject(value)
      ? Object.entries(value)
      : [];
  for (const [token, item] of inner) {
    const bad = references(
      item,
      childPointer(at, token),
      typeof token === 'number' ? name : token,
      server,
      names,
      own,
      edits,
    );
    if (bad !== undefined) return bad;
  }
  return undefined;
}

function reference(
  value: string,
  at: Pointer,
  name: string,
  server: string,
  names: McpNames,
  own: ReadonlySet<string>,
  edits: Splice[],
): string | undefined {
  const shown = `\`${visibleStart(value, 64)}\``;
  if (TOOL_MEMBER.test(name)) {
    const exposed = own.has(value) ? names.expose(server, value) : undefined;
    if (exposed === undefined) return `its \`_meta\` refers to the tool ${shown}, which has no name on \`/mcp\``;
    edits.push({ at, json: JSON.stringify(exposed) });
  } else if (URI_MEMBER.test(name) && /^ui:/i.test(value) && names.ownerOf(value) !== server)
    return `its \`_meta\` refers to ${shown}, which \`${server}\` does not own; name its prefix in \`resources\``;
  return undefined;
}

/** Keeps the first of two items that would have one name; the later one is reported. */
export function withoutCollisions(items: readonly FederatedItem[]): readonly FederatedItem[] {
  const taken = new Map<string, string>();
  return items.map((entry) => {
    if ('hidden' in entry) return entry;
    const { item, exposed } = entry;
    const key = `${item.kind} ${exposed}`;
    const first = taken.get(key);
    if (first !== undefined && first !== item.server)
      return { item, hidden: `\`${visibleStart(exposed, 64)}\` is taken by the server \`${first}\`` };
    taken.set(key, item.server);
    return entry;
  });
}
