import { Fault } from '../../domain/fault.ts';
import { asString, isObject, type Json, type JsonObject, member } from '../../domain/json.ts';
import { splice } from '../../domain/json-splice.ts';
import { RPC, RpcFault } from '../../domain/rpc-fault.ts';
import {
  answerWith,
  askAll,
  errandTo,
  type FederatedAsk,
  type FederatedListen,
  federatedPeers,
  intersection,
  leaveOut,
  resultOf,
  type Share,
  texts,
} from './federated-ask.ts';
import { federatedListen } from './federated-listen.ts';
import { federatedResume } from './federated-resume.ts';
import { openFederatedSession, sealFederatedSession } from './federated-session.ts';
import { drop, send } from './leg.ts';
import { recordEnd } from './listen.ts';
import { nameRun } from './name-run.ts';
import { review } from './review.ts';
import type { McpPeer } from './room.ts';
import { judgeStartup, seatOf } from './seat.ts';
import { refuseHalted } from './start-run.ts';
import type { Visit } from './visit.ts';

const OURS = { name: 'tollgate', title: 'Tollgate', version: '1' };

/** What a caller can do here: nothing that needs a stream the gate does not open on this endpoint. */
const CAPABILITIES = ['tools', 'prompts', 'resources', 'completions', 'logging'];

/** What any of the servers can do that the others need not: each part of it is told. */
const JOINED = ['tasks', 'extensions'];

/** What the gate tells of on the stream it opens here. */
const LISTED = new Set(['tools', 'prompts']);

/** Judges the beginning of an agent's work, once for all servers. Throws a Fault (`TG_POLICY_DENIED`). */
function judgeStart(ask: FederatedAsk, peer: McpPeer): Promise<void> {
  const errand = errandTo(ask, peer);
  return judgeStartup(seatOf(errand), ask.message, errand);
}

/** `initialize`: a session with every server, one sealed handle for all, in the newest version that all of them have. */
export async function federatedInitialize(ask: FederatedAsk): Promise<void> {
  const { visit, message, principal } = ask;
  const peers = federatedPeers(ask);
  if (peers[0]) await judgeStart(ask, peers[0]);
  const first = (await askAll(ask, peers, () => message.doc.text)).filter((share) => began(ask, share));
  const version = first.map(versionOf).sort()[0];
  if (version === undefined)
    throw new Fault('TG_UPSTREAM_UNREADABLE', 'no server behind this endpoint could be initialized');
  const again = first.filter((share) => versionOf(share) !== version);
  const shares = [...first.filter((share) => versionOf(share) === version), ...(await downTo(ask, again, version))];
  const ordered = peers.flatMap(({ server }) => shares.filter((share) => share.server === server.name));
  const servers = new Map(
    ordered.map(({ server, said }) => [server, asString(said.answer.headers['mcp-session-id'] as Json) ?? '']),
  );
  const handle = sealFederatedSession(visit, { run: principal.run.id, version, servers });
  const result: JsonObject = {
    protocolVersion: version,
    capabilities: capabilitiesOf(ordered),
    serverInfo: OURS,
    ...(await instructionsOf(ordered)),
  };
  answerWith(ask, JSON.stringify(result), { 'mcp-session-id': handle });
}

const versionOf = (share: Share): string => asString(resultOf(share)?.['protocolVersion']) ?? '';

function began({ visit }: FederatedAsk, share: Share): boolean {
  if (versionOf(share) !== '') return true;
  leaveOut(visit, share.server, 'it could not be initialized');
  return false;
}

/** Servers that offered a newer version are asked for the one the others have; who insists is left out. */
async function downTo(ask: FederatedAsk, shares: readonly Share[], version: string): Promise<readonly Share[]> {
  if (shares.length === 0) return [];
  await Promise.all(shares.map((share) => end(ask.visit, share)));
  const text = splice(ask.message.doc.text, { at: '/params/protocolVersion', json: JSON.stringify(version) });
  const peers = shares.map(({ leg }) => leg.errand.peer);
  const again = await askAll(ask, peers, () => text);
  return again.filter((share) => {
    if (versionOf(share) === version) return true;
    leaveOut(ask.visit, share.server, `it does not speak ${version}, which the other servers do`);
    return false;
  });
}

/** Ends a session that was opened in vain; a server that does not let it end forgets it by itself. */
async function end({ gate }: Visit, { leg, said, server }: Share): Promise<void> {
  const id = said.answer.headers['mcp-session-id'];
  if (typeof id !== 'string') return;
  try {
    await drop(await send(leg, 'DELETE', undefined, { 'mcp-session-id': id }));
  } catch (error) {
    gate.log.warn(
      { server, error: error instanceof Error ? error.message : 'unknown' },
      'a session could not be ended',
    );
  }
}

function capabilitiesOf(shares: readonly Share[]): JsonObject {
  const all = shares.map((share) => resultOf(share)?.['capabilities']);
  const has = (name: string): boolean => all.some((c) => isObject(member(c, name)));
  return Object.fromEntries([
    ...CAPABILITIES.filter(has).map((name) => [name, LISTED.has(name) ? { listChanged: true } : {}]),
    ...JOINED.filter(has).map((name) => [name, joined(all.map((c) => member(c, name)))]),
  ]);
}

/** One object with the members of all of them, inner objects joined likewise; of other values the first counts. */
function joined(values: readonly (Json | undefined)[]): JsonObject {
  const objects = values.filter((value) => isObject(value));
  const names = new Set(objects.flatMap((value) => Object.keys(value)));
  return Object.fromEntries(
    [...names].map((name): [string, Json] => {
      const inner = objects.map((value) => value[name]).filter((value) => value !== undefined);
      return [name, inner.every((value) => isObject(value)) ? joined(inner) : (inner[0] as Json)];
    }),
  );
}

/** The approved instructions of every server, each under its name. */
async function instructionsOf(shares: readonly Share[]): Promise<{ readonly instructions?: string }> {
  const parts: string[] = [];
  for (const { leg, said, server } of shares) {
    if (!said.response) continue;
    const { message } = await review(leg, leg.request, said.response, said.answer);
    const text = asString(member(message.doc.value['result'], 'instructions')) ?? '';
    if (text !== '') parts.push(`# ${server}\n\n${text}`);
  }
  return parts.length === 0 ? {} : { instructions: parts.join('\n\n') };
}

/** `server/discover`: the versions that all servers have, and what any of them can do. */
export async function federatedDiscover(ask: FederatedAsk): Promise<void> {
  const shares = (await askAll(ask, federatedPeers(ask), () => ask.message.doc.text)).filter(
    (share) => resultOf(share) !== undefined,
  );
  const supportedVersions = intersection(shares.map((share) => texts(resultOf(share)?.['supportedVersions'])));
  if (supportedVersions.length === 0)
    throw new RpcFault(
      RPC.invalidRequest,
      'the servers behind this endpoint have no modern version in common; send `initialize`',
      {
        status: 400,
      },
    );
  const result: JsonObject = {
    resultType: 'complete',
    supportedVersions,
    capabilities: capabilitiesOf(shares),
    ...(await instructionsOf(shares)),
    ttlMs: 0,
    cacheScope: 'private',
    _meta: { 'io.modelcontextprotocol/serverInfo': OURS },
  };
  answerWith(ask, JSON.stringify(result));
}

/** GET and DELETE on the federated endpoint: a stream of the gate's own or the rest of a server's, and the end of a session, which is told to every server. */
export async function federatedEnd(visit: Visit): Promise<void> {
  const session = openFederatedSession(visit);
  if (!session)
    throw new RpcFault(RPC.invalidRequest, 'header `mcp-session-id` is missing; send `initialize` to begin one');
  const own = { handle: session.handle, upstream: '', version: session.version, run: session.run };
  const principal = nameRun(visit, undefined, own, undefined);
  visit.trail.principal = principal;
  refuseHalted(visit, principal);
  if (visit.arrival.method === 'GET') {
    const ask: FederatedListen = { visit, message: undefined, era: 'legacy', principal, session };
    const last = visit.arrival.headers['last-event-id'];
    return typeof last === 'string' ? federatedResume(ask, last) : federatedListen(ask);
  }
  const errands = federatedPeers({ visit, session }).map((peer) => errandTo({ visit, principal, session }, peer));
  if (errands[0]) recordEnd(seatOf(errands[0]), errands[0]);
  const signal = visit.reply.gone;
  const ends = errands.filter((e) => e.session?.upstream !== '');
  const said = await Promise.allSettled(
    ends.map(async (errand) => drop(await send({ errand, signal }, 'DELETE', undefined))),
  );
  for (const [i, outcome] of said.entries())
    if (outcome.status === 'rejected')
      leaveOut(visit, ends[i]?.peer.server.name ?? '', 'its session could not be ended');
  visit.trail.status = 200;
  visit.trail.ending = 'completed';
  visit.reply.head(200, { 'content-length': '0' });
  visit.reply.end();
}
