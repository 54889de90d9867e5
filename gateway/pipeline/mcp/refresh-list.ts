import { Fault } from '../../domain/fault.ts';
import { asString, isObject, type Json, member } from '../../domain/json.ts';
import type { McpEra, RpcMessage } from '../../ports/mcp-wire.ts';
import type { Definition } from '../../ports/pins.ts';
import { askServer } from './ask-server.ts';
import { definitionsIn, type ListKind } from './lists.ts';
import type { Errand } from './visit.ts';

/** A server that lists more pages than this is not asked for more. */
const PAGES = 100;
/** The longest a server may take over its list. */
const PATIENCE_MS = 10_000;

type Pinned = ListKind & { readonly pinned: NonNullable<ListKind['pinned']> };

/**
 * Asks a server for a whole list on the gate's own account, in the session and era of the call that waits for it, and has the pins
 * check it. Throws a Fault where the server does not give one.
 */
export async function refreshList(errand: Errand, asking: RpcMessage, era: McpEra, list: Pinned): Promise<void> {
  const { visit, peer } = errand;
  const signal = AbortSignal.any([visit.reply.gone, AbortSignal.timeout(PATIENCE_MS)]);
  const definitions: Definition[] = [];
  let cursor: string | undefined;
  for (let page = 1; page <= PAGES; page += 1) {
    const request = requestFor(asking, era, list, cursor, `tollgate-${visit.trail.id}-${page}`);
    const response = await ask(errand, request, era, list, signal);
    definitions.push(...definitionsIn(response, list));
    cursor = asString(member(response.doc.value['result'], 'nextCursor'));
    if (cursor === undefined) break;
  }
  const at = visit.gate.clock.now();
  const server = peer.server.name;
  await visit.room.pins.review({ server, kind: list.pinned, definitions, whole: cursor === undefined, at });
}

/** The caller's envelope, and nothing else of its request. */
function requestFor(
  asking: RpcMessage,
  era: McpEra,
  { method }: Pinned,
  cursor: string | undefined,
  id: string,
): string {
  const meta: Json | undefined = member(asking.doc.value['params'], '_meta');
  const envelope =
    era === 'modern' && isObject(meta)
      ? Object.fromEntries(
          Object.entries(meta).filter(
            ([name]) => name.startsWith('io.modelcontextprotocol/') && name !== 'io.modelcontextprotocol/logLevel',
          ),
        )
      : undefined;
  const params = { ...(cursor !== undefined && { cursor }), ...(envelope && { _meta: envelope }) };
  return JSON.stringify({ jsonrpc: '2.0', id, method, params });
}

async function ask(
  errand: Errand,
  request: string,
  era: McpEra,
  { method }: Pinned,
  signal: AbortSignal,
): Promise<RpcMessage> {
  const mirrored = Object.keys(errand.visit.arrival.headers).filter((name) => name.startsWith('mcp-param-'));
  const { response } = await askServer(errand, request, signal, {
    ...Object.fromEntries(mirrored.map((name) => [name, ''])),
    'mcp-name': '',
    'mcp-method': era === 'modern' ? method : '',
  });
  if (response?.doc.value['result'] !== undefined) return response;
  throw new Fault('TG_UPSTREAM_UNREADABLE', `the MCP server \`${errand.peer.server.name}\` gave no \`${method}\``);
}
