import { RPC, RpcFault } from '../../domain/rpc-fault.ts';
import { errandTo, type FederatedListen } from './federated-ask.ts';
import { listen } from './listen.ts';

/**
 * A stream goes on where it broke off (2025-11-25, basic/transports, resumability and redelivery): its server is asked, under the id it
 * gave itself. Throws an RpcFault (400) for an id that this session cannot have.
 */
export async function federatedResume(ask: FederatedListen, lastEventId: string): Promise<void> {
  const { visit, session } = ask;
  const slash = lastEventId.indexOf('/');
  const server = lastEventId.slice(0, Math.max(0, slash));
  const peer = visit.room.peers.get(server);
  if (!peer || !session?.servers.has(server))
    throw new RpcFault(
      RPC.invalidRequest,
      'header `last-event-id` is of no stream of this session; send the id of its last event as it came',
      { status: 400 },
    );
  const headers = { ...visit.arrival.headers, 'last-event-id': lastEventId.slice(slash + 1) };
  visit.trail.upstream = server;
  await listen(errandTo({ ...ask, visit: { ...visit, arrival: { ...visit.arrival, headers } } }, peer));
}
