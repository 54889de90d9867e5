import { isObject, type JsonObject } from '../../domain/json.ts';
import { RPC, RpcFault } from '../../domain/rpc-fault.ts';

/** Members that some parser knows, by the object they stand in (mcp-plane.md 3). */
const KNOWN: Readonly<Record<'message' | 'params' | 'result', ReadonlySet<string>>> = {
  message: new Set(['jsonrpc', 'id', 'method', 'params', 'result', 'error']),
  params: new Set([
    'name',
    'arguments',
    'uri',
    'cursor',
    'taskId',
    'requestId',
    'progressToken',
    'inputResponses',
    'requestState',
    'notifications',
    '_meta',
  ]),
  result: new Set([
    'resultType',
    'content',
    'structuredContent',
    'isError',
    'contents',
    'messages',
    'tools',
    'prompts',
    'resources',
    'resourceTemplates',
    'inputRequests',
    'requestState',
    'ttlMs',
    'cacheScope',
    'nextCursor',
    '_meta',
  ]),
};

const folded = (names: ReadonlySet<string>): ReadonlySet<string> => new Set([...names].map(fold));
const FOLDS = { message: folded(KNOWN.message), params: folded(KNOWN.params), result: folded(KNOWN.result) };

/** As the most lenient parser compares: compatibility forms, then case. */
function fold(name: string): string {
  return name.normalize('NFKC').toLowerCase();
}

/** Refuses a name that some parsers take for a known one and others do not: `Name`, `METHOD`, `paramſ` (GHSA-4gph-2hhr-5mwg). */
export function refuseVariants(message: JsonObject): void {
  check(message, 'message');
  if (isObject(message['params'])) check(message['params'], 'params');
  if (isObject(message['result'])) check(message['result'], 'result');
}

function check(object: JsonObject, where: keyof typeof KNOWN): void {
  for (const name of Object.keys(object)) refuseVariant(name, where);
}

/** The same for one name. */
export function refuseVariant(name: string, where: keyof typeof KNOWN): void {
  if (KNOWN[where].has(name) || !FOLDS[where].has(fold(name))) return;
  throw new RpcFault(
    RPC.invalidRequest,
    `member \`${name}\` differs from \`${fold(name)}\` only in case or form; write it plainly`,
  );
}
