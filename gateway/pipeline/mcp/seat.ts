import { Fault } from '../../domain/fault.ts';
import type { Quote } from '../../domain/pricing.ts';
import { RpcFault } from '../../domain/rpc-fault.ts';
import type { RpcMessage } from '../../ports/mcp-wire.ts';
import { callFacts } from '../facts.ts';
import type { Hold } from '../hold.ts';
import type { Bench } from '../judgement.ts';
import { judgeMessage, type Seat } from './judge-message.ts';
import { NO_HOLD, NO_PRICE } from './tool-terms.ts';
import type { Errand } from './visit.ts';

/** What judging one call's actions needs. */
export function benchOf({ visit, principal }: Errand, quote: Quote, hold: Hold): Bench {
  const { gate, noses, space, arrival, address, trail } = visit;
  return {
    gate,
    noses,
    principal,
    space,
    facts: callFacts(principal, arrival, address.endpoint, quote, hold.balances, trail.at),
  };
}

/** A seat for what has no price of its own. */
export function seatOf(errand: Errand): Seat {
  const { visit, peer } = errand;
  const bench = benchOf(errand, NO_PRICE, NO_HOLD);
  return { bench, room: visit.room, trail: visit.trail, server: peer.server.name };
}

/** Judges the beginning of an agent's work. Throws an RpcFault (403): a denied start is a refusal of the door, not an answer. */
export async function judgeStartup(seat: Seat, message: RpcMessage, errand: Errand): Promise<void> {
  try {
    const action = lifeAction('agent_startup', errand);
    await judgeMessage({ ...seat, tool: undefined }, message, () => [action], seat.room.limits.request);
  } catch (error) {
    if (!(error instanceof Fault) || error.code !== 'TG_POLICY_DENIED') throw error;
    const { code, rule, reason, status } = error;
    throw new RpcFault(-31_403, error.message, { code, status, rule, reason, cause: error });
  }
}

/** The beginning or the end of an agent's work (actions.md 1). */
export function lifeAction(point: 'agent_startup' | 'agent_shutdown', { principal }: Errand) {
  const target = {
    agent: principal.agent.id,
    human: principal.human?.id ?? null,
    tenant: principal.tenant.id,
    tools: [],
  };
  return { point, tool: '', base: undefined, target, parts: [] };
}
