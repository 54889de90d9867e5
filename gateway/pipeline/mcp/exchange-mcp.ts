import { Fault } from '../../domain/fault.ts';
import { seal } from '../conclude.ts';
import type { Noses } from '../detect.ts';
import type { Call } from '../exchange.ts';
import type { Gateway } from '../gateway.ts';
import type { Reply } from '../reply.ts';
import { refuse } from '../say.ts';
import { Trail } from '../trail.ts';
import { addressOf, type McpAddress } from './address.ts';
import { errandFor } from './errand.ts';
import { federatedEnd } from './federated-start.ts';
import { endSession, listen } from './listen.ts';
import { type Progress, post } from './post.ts';
import type { McpRoom } from './room.ts';
import { sayMcpRefusal } from './say-mcp.ts';
import { legacySession } from './session.ts';
import { refuseHalted } from './start-run.ts';
import { principalIdOf, type Visit } from './visit.ts';

/**
 * The MCP plane, in order: claim → identify → read → reserve → decide → transform → begin → relay → settle → review → say → seal. One
 * exit, one receipt. Never throws for anything a caller or a server does.
 */
export async function exchangeMcp(gate: Gateway, room: McpRoom, noses: Noses, call: Call, reply: Reply): Promise<void> {
  const trail = new Trail(gate);
  trail.dialect = 'mcp';
  const progress: Progress = { message: undefined, era: 'legacy' };
  let challenge: string | undefined;
  gate.metrics.inFlight(1);
  try {
    room.access.admit(call.arrival);
    const address = addressOf(call.arrival.url, [...room.peers.keys()]);
    trail.upstream = address.server ?? '';
    const visit = await identify(gate, room, noses, trail, call, reply, address, (value) => {
      challenge = value;
    });
    await serve(visit, call.body, progress);
  } catch (error) {
    refuse(trail, error);
    sayMcpRefusal(room, gate, trail, reply, { ...progress, challenge }, error);
  } finally {
    gate.metrics.inFlight(-1);
    await seal(gate, trail);
  }
}

async function identify(
  gate: Gateway,
  room: McpRoom,
  noses: Noses,
  trail: Trail,
  { arrival }: Call,
  reply: Reply,
  address: McpAddress,
  challenged: (value: string | undefined) => void,
): Promise<Visit> {
  try {
    const caller = await room.access.authenticate(arrival, address.endpoint);
    const space = { tenant: caller.tenant.id, key: caller.key ?? 'open' };
    const principalId = principalIdOf(caller);
    return { gate, room, noses, trail, reply, arrival, address, caller, space, principalId };
  } catch (error) {
    if (error instanceof Fault) challenged(room.access.challenge(error, arrival, address.endpoint));
    throw error;
  }
}

async function serve(visit: Visit, body: Uint8Array, progress: Progress): Promise<void> {
  switch (visit.arrival.method) {
    case 'POST':
      return post(visit, body, progress);
    case 'GET':
    case 'DELETE':
      return streamOrEnd(visit);
    default:
      throw new Fault('TG_METHOD', `\`${visit.arrival.method}\` is not served here; send messages by POST`);
  }
}

/** GET and DELETE belong to legacy sessions; a modern client has none (mcp-plane.md 4). */
async function streamOrEnd(visit: Visit): Promise<void> {
  const { arrival } = visit;
  const version = arrival.headers['mcp-protocol-version'];
  if (typeof version === 'string' && version >= '2026-07-28')
    throw new Fault('TG_METHOD', 'there are no sessions in this protocol version; send messages by POST');
  if (visit.address.server === undefined) return federatedEnd(visit);
  const errand = errandFor(visit, undefined, legacySession(visit));
  refuseHalted(visit, errand.principal);
  return arrival.method === 'GET' ? listen(errand) : endSession(errand);
}

/** A call the door itself refuses (too large, draining): said in this plane's tongue and recorded like every other. */
export async function turnAwayMcp(gate: Gateway, room: McpRoom, reply: Reply, fault: Fault): Promise<void> {
  const trail = new Trail(gate);
  trail.dialect = 'mcp';
  refuse(trail, fault);
  sayMcpRefusal(room, gate, trail, reply, { message: undefined, era: 'legacy' }, fault);
  await seal(gate, trail);
}
