import { Fault } from '../../domain/fault.ts';
import type { RpcMessage } from '../../ports/mcp-wire.ts';
import { nameRun } from './name-run.ts';
import type { Errand, OpenSession, Visit } from './visit.ts';

/** A visit to the server its path names, everybody named. Throws a Fault where there is none. */
export function errandFor(
  visit: Visit,
  message: RpcMessage | undefined,
  session: OpenSession | undefined,
  goesOn?: string,
): Errand {
  const { room, address, trail } = visit;
  const peer = address.server === undefined ? undefined : room.peers.get(address.server);
  if (!peer) throw new Fault('TG_UNKNOWN_ROUTE', 'no MCP server is here');
  const principal = nameRun(visit, message, session, goesOn);
  trail.principal = principal;
  return { visit, peer, principal, session };
}
