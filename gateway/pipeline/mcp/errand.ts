import { Fault } from '../../domain/fault.ts';
import type { RpcMessage } from '../../ports/mcp-wire.ts';
import { nameRun } from './name-run.ts';
import { proposalOf } from './proposed.ts';
import type { Errand, OpenSession, Visit } from './visit.ts';

/** A visit to a server, everybody named; the one its path names unless told. Throws a Fault where there is none. */
export function errandFor(
  visit: Visit,
  message: RpcMessage | undefined,
  session: OpenSession | undefined,
  goesOn?: string,
  server = visit.address.server,
): Errand {
  const { room, trail } = visit;
  const peer = server === undefined ? undefined : room.peers.get(server);
  if (!peer) throw new Fault('TG_UNKNOWN_ROUTE', 'no MCP server is here');
  const proposal = goesOn === undefined ? proposalOf(visit, message, peer.server.name) : undefined;
  const principal = nameRun(visit, message, session, goesOn ?? proposal?.run);
  trail.principal = principal;
  // a caller that names another run does not carry out what was proposed in this one
  const joined = proposal?.run === principal.run.id ? proposal : undefined;
  return { visit, peer, principal, session, ...(joined && { proposal: joined }) };
}
