import { isObject, type Json } from '../../domain/json.ts';
import { parseStrict } from '../../domain/json-text.ts';
import { RPC, RpcFault } from '../../domain/rpc-fault.ts';
import { epochMs } from '../../domain/scalars.ts';
import type { OpenSession, Visit } from './visit.ts';

/** Every refusal of a handle looks alike: unknown, expired or someone else's (mcp-plane.md 10). */
const unknown = (): RpcFault =>
  new RpcFault(RPC.invalidRequest, 'this session is not known here; send `initialize` to begin a new one', {
    code: 'TG_UNKNOWN_SESSION',
  });

/** The session a legacy request shows; undefined: none. Throws an RpcFault (404) for one that is not this caller's. */
function openSession({ room, gate, arrival, principalId, address }: Visit): OpenSession | undefined {
  const handle = arrival.headers['mcp-session-id'];
  if (handle === undefined) return undefined;
  if (typeof handle !== 'string') throw unknown();
  const value = room.sealer.open('session', principalId, address.server ?? '', handle, gate.clock.now());
  if (value === undefined) throw unknown();
  return readSession(handle, value);
}

function readSession(handle: string, value: string): OpenSession {
  const { value: said } = parseStrict(value);
  const text = (name: string): string => {
    const found: Json | undefined = isObject(said) ? said[name] : undefined;
    if (typeof found !== 'string') throw unknown();
    return found;
  };
  return { handle, upstream: text('u'), version: text('v'), run: text('r') };
}

/** Seals a server's session for its caller. */
export function sealSession(
  { room, gate, principalId, address }: Visit,
  session: Pick<OpenSession, 'upstream' | 'version' | 'run'>,
): string {
  const value = JSON.stringify({ u: session.upstream, v: session.version, r: session.run });
  const until = epochMs(gate.clock.now() + room.limits.sessionMs);
  return room.sealer.seal('session', principalId, address.server ?? '', value, until);
}

/** The session of a legacy request, its version checked against its header. Throws an RpcFault. */
export function legacySession(visit: Visit): OpenSession | undefined {
  const session = openSession(visit);
  const version = visit.arrival.headers['mcp-protocol-version'];
  checkVersion(session, typeof version === 'string' ? version : undefined);
  return session;
}

/** Revisions with sessions. */
const LEGACY_VERSIONS: ReadonlySet<string> = new Set(['2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25']);

/**
 * The version header names a revision with sessions, or is left out; only invalid and unsupported ones have to be refused (2025-11-25,
 * basic/transports, protocol version header), and whether one that was not negotiated is taken is the server's to say. Throws an RpcFault (400).
 */
export function checkVersion(session: Pick<OpenSession, 'version'> | undefined, header: string | undefined): void {
  if (!session || session.version === '' || header === undefined || header === session.version) return;
  if (LEGACY_VERSIONS.has(header)) return;
  throw new RpcFault(
    RPC.invalidRequest,
    `header \`mcp-protocol-version: ${header}\` is not the version this session negotiated; send \`${session.version}\``,
  );
}
