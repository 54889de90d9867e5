import { Fault } from '../../domain/fault.ts';
import { judge } from '../judgement.ts';
import type { Seat } from './judge-message.ts';
import { haltFault, type Leg, send, watchLeg } from './leg.ts';
import { relayAnswer } from './relay-answer.ts';
import { review } from './review.ts';
import { lifeAction, seatOf } from './seat.ts';
import type { Errand } from './visit.ts';

/** A stream that a legacy client opens to listen, or to go on where another broke off (`Last-Event-ID`). Nothing on it is charged. */
export async function listen(errand: Errand): Promise<void> {
  const { visit } = errand;
  const seat: Seat = seatOf(errand);
  const watch = watchLeg(errand);
  const leg: Leg = { errand, seat, request: undefined, era: 'legacy', signal: watch.signal };
  try {
    const answer = await send(leg, 'GET', undefined);
    const relayed = await relayAnswer(leg, answer, (response, request) => review(leg, request, response, answer));
    visit.trail.ending = relayed.ending;
  } catch (error) {
    if (watch.halt.what) throw haltFault(watch.halt.what);
    if (visit.reply.gone.aborted) {
      visit.trail.ending = visit.reply.started ? 'completed' : 'client_left';
      return;
    }
    visit.trail.ending = error instanceof Fault && error.code === 'TG_POLICY_DENIED' ? 'denied' : 'upstream_broke';
    throw error;
  } finally {
    watch.close();
  }
}

/** The end of an agent's work is judged and recorded; it cannot be refused, only followed by a halt. */
export function recordEnd(seat: Seat, errand: Errand): void {
  const { point, target } = lifeAction('agent_shutdown', errand);
  seat.trail.record(judge(seat.bench, { point, plane: 'mcp', target, parts: [] }).record);
}

/** A legacy session is deleted: the run's agent shuts down, and the server forgets it. */
export async function endSession(errand: Errand): Promise<void> {
  const { visit } = errand;
  const seat = seatOf(errand);
  recordEnd(seat, errand);
  const watch = watchLeg(errand);
  const leg: Leg = { errand, seat, request: undefined, era: 'legacy', signal: watch.signal };
  try {
    const answer = await send(leg, 'DELETE', undefined);
    const relayed = await relayAnswer(leg, answer, (response, request) => review(leg, request, response, answer));
    visit.trail.ending = relayed.ending;
  } finally {
    watch.close();
  }
}
