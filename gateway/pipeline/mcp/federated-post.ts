import { RPC, RpcFault } from '../../domain/rpc-fault.ts';
import type { McpEra, RpcMessage } from '../../ports/mcp-wire.ts';
import { gateHeaders } from '../say.ts';
import { callTool, relayRequest } from './call.ts';
import { passAnswer, takePending } from './client-answer.ts';
import { errandFor } from './errand.ts';
import { answerWith, errandTo, type FederatedAsk, federatedPeers, leaveOut } from './federated-ask.ts';
import { federatedList } from './federated-list.ts';
import { federatedListen } from './federated-listen.ts';
import { type Route, routeOf } from './federated-route.ts';
import { type FederatedSession, openFederatedSession, sessionWith } from './federated-session.ts';
import { federatedDiscover, federatedInitialize } from './federated-start.ts';
import { drop, send } from './leg.ts';
import { listOf } from './lists.ts';
import { nameRun } from './name-run.ts';
import { openRetry } from './request-state.ts';
import { refuseHalted } from './start-run.ts';
import { serverOfTask } from './tasks.ts';
import type { OpenSession, Visit } from './visit.ts';

/** One message on the federated endpoint: for one server by its name or URI, for all of them, or for the gate itself (mcp-plane.md 7). */
export async function federatedPost(visit: Visit, message: RpcMessage, era: McpEra): Promise<void> {
  const { room, arrival, trail } = visit;
  const session = era === 'legacy' ? openFederatedSession(visit) : undefined;
  if (era === 'modern') room.wire.checkHeaders(message, arrival.headers, undefined);
  const route = message.kind === 'response' ? undefined : (routeOf(room, message) ?? taskRoute(visit, message));
  if (route) return toOne(visit, route, era, session);
  const principal = nameRun(visit, message, session && plain(session), undefined);
  trail.principal = principal;
  refuseHalted(visit, principal);
  const ask: FederatedAsk = { visit, message, era, principal, session };
  if (message.kind === 'response') return answerOne(ask);
  if (message.kind === 'notification') return tellAll(ask);
  if (listOf(message.method) && (era === 'legacy' || message.method !== 'tasks/list')) return federatedList(ask);
  switch (message.method) {
    case 'initialize':
      return federatedInitialize(ask);
    case 'server/discover':
      return federatedDiscover(ask);
    case 'subscriptions/listen':
      return federatedListen(ask);
    case 'ping':
      return answerWith(ask, '{}');
    case 'logging/setLevel':
      await tell(ask);
      return answerWith(ask, '{}');
    default:
      throw new RpcFault(RPC.methodNotFound, `\`${message.method}\` is not served here; use \`/mcp/<server>\``, {
        status: era === 'modern' ? 404 : 200,
      });
  }
}

/** A task's server takes everything that is about it. */
function taskRoute(visit: Visit, message: RpcMessage): Route | undefined {
  const server = serverOfTask(visit, message);
  return server === undefined ? undefined : { server, message };
}

/** A federated session as far as naming a run needs one. */
const plain = ({ handle, version, run }: FederatedSession): OpenSession => ({ handle, upstream: '', version, run });

/** Goes the way of that server's own endpoint, with its own names in body and header. */
async function toOne(
  visit: Visit,
  { server, message }: Route,
  era: McpEra,
  session: FederatedSession | undefined,
): Promise<void> {
  const { room, arrival, trail } = visit;
  trail.upstream = server;
  const renamed = era === 'modern' ? room.wire.headersFor(message, arrival.headers, undefined) : {};
  const there: Visit = { ...visit, arrival: { ...arrival, headers: { ...arrival.headers, ...renamed } } };
  const retry = era === 'modern' ? openRetry(there, server, message) : undefined;
  const errand = errandFor(there, message, sessionWith(session, server), retry?.lineage.run, server);
  refuseHalted(there, errand.principal);
  const ask = { errand, message, era, retry };
  const isJudged = message.kind === 'request' && room.wire.asked(message).length > 0;
  await (isJudged ? callTool(ask) : relayRequest(ask));
}

/** A client's answer goes back to the server whose request it answers. */
async function answerOne({ visit, message, session }: FederatedAsk): Promise<void> {
  const pending = takePending(visit, session?.handle, message);
  visit.trail.upstream = pending.server;
  const errand = errandFor(visit, message, sessionWith(session, pending.server), undefined, pending.server);
  await passAnswer(errand, message, pending);
}

/** A notification is for every server: each takes what it knows and leaves the rest. */
async function tellAll(ask: FederatedAsk): Promise<void> {
  const { reply, trail } = ask.visit;
  if (ask.era === 'legacy') await tell(ask);
  trail.status = 202;
  trail.ending = 'completed';
  reply.head(202, { ...gateHeaders(trail), 'content-length': '0' });
  reply.end();
}

async function tell(ask: FederatedAsk): Promise<void> {
  const { visit, message } = ask;
  const body = new TextEncoder().encode(message.doc.text);
  const peers = federatedPeers(ask);
  const told = await Promise.allSettled(
    peers.map(async (peer) =>
      drop(await send({ errand: errandTo(ask, peer), signal: visit.reply.gone }, 'POST', body)),
    ),
  );
  for (const [i, outcome] of told.entries())
    if (outcome.status === 'rejected')
      leaveOut(visit, peers[i]?.server.name ?? '', `it did not take \`${message.method}\``);
}
