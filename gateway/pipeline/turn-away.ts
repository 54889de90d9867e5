import type { Fault } from '../domain/fault.ts';
import type { Arrival } from '../ports/identity.ts';
import { tongueFor } from './claim.ts';
import { seal } from './conclude.ts';
import type { Gateway } from './gateway.ts';
import type { Reply } from './reply.ts';
import { refuse, sayRefusal } from './say.ts';
import { Trail } from './trail.ts';

/** A call the door itself refuses (too large, draining): said in the caller's tongue and recorded like every other. */
export async function turnAway(gate: Gateway, arrival: Arrival, reply: Reply, fault: Fault): Promise<void> {
  const trail = new Trail(gate);
  refuse(trail, fault);
  sayRefusal(gate, trail, tongueFor(gate, arrival.url), reply, fault);
  await seal(gate, trail);
}
