import type { Principal } from '../../domain/principal.ts';
import type { Proposal } from '../proposals.ts';
import { haltFault } from './leg.ts';
import type { Lineage } from './request-state.ts';
import type { Visit } from './visit.ts';

/** The call becomes a step of its run, or stays in the one it goes on from. True where none of the run's calls was answered yet. */
export function startRun(
  { gate, trail, space }: Visit,
  principal: Principal,
  goesOn: Lineage | undefined,
  proposal: Proposal | undefined,
): boolean {
  if (goesOn) {
    trail.step = goesOn.step;
    trail.attempt = goesOn.round;
    trail.note(`goes on from ${goesOn.call}`);
    return false;
  }
  if (proposal) {
    trail.step = proposal.step;
    trail.note(
      proposal.callId === '' ? 'proposed on the LLM plane' : `proposed on the LLM plane as ${proposal.callId}`,
    );
    return false;
  }
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
