import { asString, isObject, type Json, member } from '../../domain/json.ts';
import { parseStrict } from '../../domain/json-text.ts';
import { RPC, RpcFault } from '../../domain/rpc-fault.ts';
import { epochMs } from '../../domain/scalars.ts';
import { checkVersion } from './session.ts';
import type { OpenSession, Visit } from './visit.ts';

/** What a session of the federated endpoint is bound to instead of a server. */
const FEDERATION = '*';

/** One legacy session of a caller: a session of its own with every server that was there at its `initialize`. */
export interface FederatedSession {
  readonly handle: string;
  readonly run: string;
  /** what all of them negotiated */
  readonly version: string;
  /** server → its own session id, '' where it has none */
  readonly servers: ReadonlyMap<string, string>;
}

const unknown = (): RpcFault =>
  new RpcFault(RPC.invalidRequest, 'this session is not known here; send `initialize` to begin a new one', {
    code: 'TG_UNKNOWN_SESSION',
  });

/** The session a legacy request shows; undefined: none. Throws an RpcFault for one that is not this caller's, or a version nobody knows. */
export function openFederatedSession({ room, gate, arrival, principalId }: Visit): FederatedSession | undefined {
  const handle = arrival.headers['mcp-session-id'];
  if (handle === undefined) return undefined;
  if (typeof handle !== 'string') throw unknown();
  const value = room.sealer.open('session', principalId, FEDERATION, handle, gate.clock.now());
  if (value === undefined) throw unknown();
  const session = read(handle, parseStrict(value).value);
  const version = arrival.headers['mcp-protocol-version'];
  checkVersion(session, typeof version === 'string' ? version : undefined);
  return session;
}

function read(handle: string, value: Json): FederatedSession {
  const [run, version, servers] = [asString(member(value, 'r')), asString(member(value, 'v')), member(value, 's')];
  if (run === undefined || version === undefined || !isObject(servers)) throw unknown();
  return {
    handle,
    run,
    version,
    servers: new Map(Object.entries(servers).map(([name, id]) => [name, asString(id) ?? ''])),
  };
}

/** Seals a session for its caller. */
export function sealFederatedSession(
  { room, gate, principalId }: Visit,
  { run, version, servers }: Omit<FederatedSession, 'handle'>,
): string {
  const value = JSON.stringify({ r: run, v: version, s: Object.fromEntries(servers) });
  return room.sealer.seal('session', principalId, FEDERATION, value, epochMs(gate.clock.now() + room.limits.sessionMs));
}

/** The part of a session that is one server's. Throws an RpcFault for a server that was not there when it began. */
export function sessionWith(session: FederatedSession | undefined, server: string): OpenSession | undefined {
  if (session === undefined) return undefined;
  const upstream = session.servers.get(server);
  if (upstream === undefined)
    throw new RpcFault(
      RPC.invalidParams,
      `the MCP server \`${server}\` was not there when this session began; send \`initialize\` to begin a new one`,
      { status: 200 },
    );
  return { handle: session.handle, upstream, version: session.version, run: session.run };
}
