import { isObject, type Json, member } from '../../domain/json.ts';
import { RPC, RpcFault } from '../../domain/rpc-fault.ts';
import type { Headers } from '../../ports/dialect.ts';
import type { McpEra, RpcMessage } from '../../ports/mcp-wire.ts';

/** https://modelcontextprotocol.io/specification/2026-07-28/basic: the envelope every modern request carries. */
const VERSION_KEY = 'io.modelcontextprotocol/protocolVersion';
const CAPABILITIES_KEY = 'io.modelcontextprotocol/clientCapabilities';
const FIRST_MODERN = '2026-07-28';
const DATE = /^[0-9]{4}-[0-9]{2}-[0-9]{2}$/;

/** The one value of a header; a repeated one is refused, because two readers could take different ones. */
export function onlyHeader(headers: Headers, name: string): string | undefined {
  const value = headers[name];
  if (value === undefined || typeof value === 'string') return value?.trim();
  throw new RpcFault(RPC.headerMismatch, `header \`${name}\` stands more than once`);
}

const isModern = (version: string | undefined): boolean =>
  version !== undefined && DATE.test(version) && version >= FIRST_MODERN;

const metaOf = (message: RpcMessage): Json | undefined => member(message.doc.value['params'], '_meta');

/** Which era a message is of (mcp-plane.md 2). Throws an RpcFault where body and headers disagree. */
export function eraOf(message: RpcMessage, headers: Headers): McpEra {
  const header = onlyHeader(headers, 'mcp-protocol-version');
  const meta = metaOf(message);
  const claimed = member(meta, VERSION_KEY);
  if (claimed !== undefined) {
    modernEnvelope(message, claimed, meta, header);
    return 'modern';
  }
  if (!isModern(header)) return 'legacy';
  if (message.kind === 'notification') return 'modern';
  if (message.kind === 'response')
    throw new RpcFault(
      RPC.invalidRequest,
      `a client of ${header} posts no responses; answers travel in \`inputResponses\``,
    );
  throw new RpcFault(
    RPC.invalidParams,
    `header \`mcp-protocol-version: ${header}\` needs \`params._meta["${VERSION_KEY}"]\`, and the body has none`,
  );
}

function modernEnvelope(message: RpcMessage, claimed: Json, meta: Json | undefined, header: string | undefined): void {
  if (message.kind === 'response') throw new RpcFault(RPC.invalidRequest, 'a response has no `params`');
  if (header === undefined && message.kind === 'notification') return;
  if (typeof claimed !== 'string') throw new RpcFault(RPC.invalidParams, `\`_meta["${VERSION_KEY}"]\` must be a text`);
  if (header !== claimed)
    throw new RpcFault(
      RPC.headerMismatch,
      header === undefined
        ? 'header `mcp-protocol-version` is missing; it repeats the version of the body'
        : `header \`mcp-protocol-version: ${header}\` and the body's \`${claimed}\` differ`,
    );
  if (message.kind === 'request' && !isObject(member(meta, CAPABILITIES_KEY)))
    throw new RpcFault(RPC.invalidParams, `\`_meta["${CAPABILITIES_KEY}"]\` is missing or no object`);
}
