import { Fault } from '../../domain/fault.ts';
import type { RpcMessage } from '../../ports/mcp-wire.ts';
import { callTool, relayRequest } from './call.ts';
import type { Progress } from './exchange-mcp.ts';
import { nameRun } from './name-run.ts';
import { checkVersion, openSession } from './session.ts';
import { refuseHalted } from './start-run.ts';
import type { Errand, OpenSession, Visit } from './visit.ts';

/** One message of a caller: size → UTF-8 → strict JSON → shape → era → headers against body → pin → verdict (mcp-plane.md 3). */
export async function post(visit: Visit, body: Uint8Array, progress: Progress): Promise<void> {
  const { room, arrival } = visit;
  room.wire.checkMedia(arrival.headers);
  const message = room.wire.read(body, room.limits.request);
  progress.message = message;
  progress.era = room.wire.eraOf(message, arrival.headers);
  const session = progress.era === 'legacy' ? openSession(visit) : undefined;
  const version = arrival.headers['mcp-protocol-version'];
  checkVersion(session, typeof version === 'string' ? version : undefined);
  const errand = errandFor(visit, message, session);
  refuseHalted(visit, errand.principal);
  const ask = { errand, message, era: progress.era };
  const isJudged = message.kind === 'request' && room.wire.asked(message).length > 0;
  await (isJudged ? callTool(ask) : relayRequest(ask));
}

function errandFor(visit: Visit, message: RpcMessage, session: OpenSession | undefined): Errand {
  const { room, address, trail } = visit;
  const peer = address.server === undefined ? undefined : room.peers.get(address.server);
  if (!peer) throw new Fault('TG_UNKNOWN_ROUTE', 'no MCP server is here');
  const principal = nameRun(visit, message, session, undefined);
  trail.principal = principal;
  return { visit, peer, principal, session };
}
