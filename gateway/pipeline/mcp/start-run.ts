import type { Principal } from '../../domain/principal.ts';
import { haltFault } from './leg.ts';
import type { Visit } from './visit.ts';

/** The call becomes a step of its run. True where none of the run's calls was answered yet. Throws a Fault where the run is halted. */
export function startRun({ gate, trail, space }: Visit, principal: Principal): boolean {
  // each call on this plane is a step of its own: its id is all that a later one could repeat
  const ticket = gate.runs.enter(space, principal.run.id, trail.at, trail.id, false);
  trail.step = ticket.step;
  trail.attempt = ticket.attempt;
  return ticket.first;
}

/** Throws a Fault (`TG_POLICY_DENIED`) where run, agent or human was halted. */
export function refuseHalted({ gate, space }: Visit, principal: Principal): void {
  const what = gate.runs.halted(space, principal.run.id, principal.agent.id, principal.human?.id);
  if (what) throw haltFault(what);
}
