import { asString, type Json, member } from '../../domain/json.ts';
import { splice } from '../../domain/json-splice.ts';
import type { Pointer } from '../../domain/pointer.ts';
import { RPC, RpcFault } from '../../domain/rpc-fault.ts';
import { visibleStart } from '../../domain/visible-text.ts';
import type { RpcMessage } from '../../ports/mcp-wire.ts';
import type { McpRoom } from './room.ts';

/** One server's share of the federated endpoint: the message as that server has to see it. */
export interface Route {
  readonly server: string;
  readonly message: RpcMessage;
}

const NAMED = new Set(['tools/call', 'prompts/get']);
const BY_URI = new Set(['resources/read', 'resources/subscribe', 'resources/unsubscribe']);

/**
 * The server that a message on the federated endpoint is for; undefined: it is for all of them or for the gate. Throws an RpcFault
 * (-32602) for a name or URI that belongs to none, or to several.
 */
export function routeOf(room: McpRoom, message: RpcMessage): Route | undefined {
  const params = message.doc.value['params'];
  if (NAMED.has(message.method)) return byName(room, message, '/params/name', member(params, 'name'));
  if (BY_URI.has(message.method)) return byUri(room, message, member(params, 'uri'));
  if (message.method !== 'completion/complete') return undefined;
  const ref = member(params, 'ref');
  return member(ref, 'type') === 'ref/prompt'
    ? byName(room, message, '/params/ref/name', member(ref, 'name'))
    : byUri(room, message, member(ref, 'uri'));
}

const refused = (message: string): RpcFault => new RpcFault(RPC.invalidParams, message, { status: 200 });

function byName(room: McpRoom, message: RpcMessage, at: Pointer, value: Json | undefined): Route {
  const exposed = asString(value) ?? '';
  const found = room.names.resolve(exposed);
  if (!found || !room.peers.has(found.server))
    throw refused(
      `\`${visibleStart(exposed, 64)}\` is no name on this endpoint; a name here is \`<server>__<name>\` as the list shows it`,
    );
  const text = splice(message.doc.text, { at, json: JSON.stringify(found.name) });
  return { server: found.server, message: room.wire.reread(text, room.limits.request) };
}

function byUri(room: McpRoom, message: RpcMessage, value: Json | undefined): Route {
  const uri = asString(value) ?? '';
  const server = room.names.ownerOf(uri.split('{')[0] ?? '');
  if (server === 'ambiguous')
    throw refused(`several servers own \`${visibleStart(uri, 128)}\`; ask one of them at \`/mcp/<server>\``);
  if (server === undefined)
    throw refused(`no server owns \`${visibleStart(uri, 128)}\` here; ask its server at \`/mcp/<server>\``);
  return { server, message };
}
