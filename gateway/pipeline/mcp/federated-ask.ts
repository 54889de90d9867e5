import { Fault } from '../../domain/fault.ts';
import { isArray, isObject, type Json, type JsonObject, member } from '../../domain/json.ts';
import type { Principal } from '../../domain/principal.ts';
import { RPC, RpcFault } from '../../domain/rpc-fault.ts';
import type { McpEra, RpcMessage } from '../../ports/mcp-wire.ts';
import { gateHeaders } from '../say.ts';
import { askServer, type ServerSaid } from './ask-server.ts';
import { type FederatedSession, sessionWith } from './federated-session.ts';
import { type Leg, watchLeg } from './leg.ts';
import type { McpPeer } from './room.ts';
import { seatOf } from './seat.ts';
import type { Errand, Visit } from './visit.ts';

/** A message on the federated endpoint that is for several servers. */
export interface FederatedAsk {
  readonly visit: Visit;
  readonly message: RpcMessage;
  readonly era: McpEra;
  readonly principal: Principal;
  readonly session: FederatedSession | undefined;
}

/** Who listens: a legacy session, or a modern request with what it wants to hear. */
export type FederatedListen = Omit<FederatedAsk, 'message'> & { readonly message: RpcMessage | undefined };

/** What one server said; its message is what it said as the caller may have it. */
export interface Share {
  readonly server: string;
  readonly leg: Leg;
  readonly said: ServerSaid;
}

/** A server that takes longer over its share is left out. */
const PATIENCE_MS = 10_000;

/** The servers a message is for: all that are federated, or those that were there when the session began; in the order of the file. */
export function federatedPeers({ visit, session }: Pick<FederatedAsk, 'visit' | 'session'>): readonly McpPeer[] {
  return [...visit.room.peers.values()].filter(
    ({ server, federated }) => federated && (session === undefined || session.servers.has(server.name)),
  );
}

export const errandTo = (
  { visit, principal, session }: Omit<FederatedAsk, 'message' | 'era'>,
  peer: McpPeer,
): Errand => ({
  visit,
  peer,
  principal,
  session: sessionWith(session, peer.server.name),
});

/**
 * Asks several servers at once, each what `textFor` says. A server that is down or gives no answer is left out and noted. Throws a Fault
 * where none is left, where one does not speak this era (mcp-plane.md 2), or none of this version.
 */
export async function askAll(
  ask: FederatedAsk,
  peers: readonly McpPeer[],
  textFor: (server: string) => string,
): Promise<readonly Share[]> {
  const { visit, era, message } = ask;
  const faults: unknown[] = [];
  const share = async (peer: McpPeer): Promise<Share | undefined> => {
    const errand = errandTo(ask, peer);
    const watch = watchLeg(errand);
    const signal = AbortSignal.any([watch.signal, AbortSignal.timeout(PATIENCE_MS)]);
    const leg: Leg = { errand, seat: seatOf(errand), request: message, era, signal };
    try {
      const said = await askServer(errand, textFor(peer.server.name), signal, {});
      return { server: peer.server.name, leg, said };
    } catch (error) {
      if (visit.reply.gone.aborted) throw error;
      faults.push(error);
      leaveOut(visit, peer.server.name, error instanceof Fault ? error.message : 'it did not answer');
      return undefined;
    } finally {
      watch.close();
    }
  };
  const shares = (await Promise.all(peers.map(share))).filter((s) => s !== undefined);
  if (shares.length === 0 && faults.length > 0) throw faults[0];
  if (era === 'modern') refuseOtherEra(shares, message);
  return shares;
}

/** Says in the record and the log that a server is missing from what its caller got. */
export function leaveOut({ gate, trail }: Visit, server: string, why: string): void {
  trail.note(`\`${server}\` is left out: ${why}`);
  gate.log.warn({ server, why }, 'a server is left out of a federated answer');
}

const errorOf = ({ said }: Share): Json | undefined => said.response?.doc.value['error'];

/** One version for all: what one of them lacks the endpoint lacks; where one has no modern version the endpoint is a legacy one. */
function refuseOtherEra(shares: readonly Share[], message: RpcMessage): void {
  const requested =
    member(member(message.doc.value['params'], '_meta'), 'io.modelcontextprotocol/protocolVersion') ?? null;
  const lacking: string[][] = [];
  for (const share of shares) {
    const error = errorOf(share);
    if (member(error, 'code') === RPC.unsupportedVersion)
      lacking.push(texts(member(member(error, 'data'), 'supported')));
    else if (share.said.answer.status >= 400 && !isModernError(error))
      throw new RpcFault(
        RPC.invalidRequest,
        `\`${share.server}\` behind this endpoint has no modern version; send \`initialize\``,
        {
          status: 400,
        },
      );
  }
  if (lacking.length === 0) return;
  const supported = intersection(lacking);
  if (supported.length === 0)
    throw new RpcFault(
      RPC.invalidRequest,
      'the servers behind this endpoint have no modern version in common; send `initialize`',
      {
        status: 400,
      },
    );
  throw new RpcFault(RPC.unsupportedVersion, 'this version is not one that every server behind this endpoint has', {
    status: 400,
    data: { supported, requested },
  });
}

/** Only a server of the modern era has codes of that era, or knows that a method is not there. */
const isModernError = (error: Json | undefined): boolean => {
  const code = member(error, 'code');
  return typeof code === 'number' && (code === RPC.methodNotFound || (code <= -32020 && code >= -32099));
};

export const texts = (value: Json | undefined): string[] =>
  isArray(value) ? value.filter((v): v is string => typeof v === 'string') : [];

/** What all lists have, in the order of the first. */
export const intersection = ([first = [], ...rest]: readonly (readonly string[])[]): string[] =>
  first.filter((item) => rest.every((list) => list.includes(item)));

/** Answers the request with a result of the gate's own making; `result` is JSON text. */
export function answerWith(
  { visit, message }: Pick<FederatedAsk, 'visit' | 'message'>,
  result: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  const { reply, trail, gate } = visit;
  const body = new TextEncoder().encode(`{"jsonrpc":"2.0","id":${message.id ?? 'null'},"result":${result}}`);
  trail.status = 200;
  trail.ending = 'completed';
  trail.firstByteTicks = gate.clock.ticks();
  reply.head(200, {
    ...gateHeaders(trail),
    ...headers,
    'content-type': 'application/json',
    'content-length': String(body.length),
  });
  reply.end(body);
}

export const resultOf = ({ said }: Share): JsonObject | undefined => {
  const result = said.response?.doc.value['result'];
  return isObject(result) ? result : undefined;
};
