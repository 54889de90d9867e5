import type { ToolRef } from '../../domain/action.ts';
import { Fault } from '../../domain/fault.ts';
import { member } from '../../domain/json.ts';
import type { Principal } from '../../domain/principal.ts';
import type { Ending } from '../../domain/receipt.ts';
import { epochMs } from '../../domain/scalars.ts';
import type { McpEra, RpcMessage } from '../../ports/mcp-wire.ts';
import type { Standing } from '../../ports/pins.ts';
import { begin, release } from '../conclude.ts';
import { heartbeat } from '../heartbeat.ts';
import type { Hold } from '../reserve.ts';
import { denyTool } from './deny-tool.ts';
import { judgeMessage, type Seat } from './judge-message.ts';
import { haltFault, type Leg, send, watchLeg } from './leg.ts';
import { whyNever } from './may-use.ts';
import { callIdOf } from './name-run.ts';
import { type Relayed, relayAnswer } from './relay-answer.ts';
import { remember } from './relay-events.ts';
import { review } from './review.ts';
import { benchOf, lifeAction, seatOf } from './seat.ts';
import { standingOf } from './standing.ts';
import { startRun } from './start-run.ts';
import { NO_HOLD, type PricedCall, priceUsd, quoteTool, reserveTool, settleTool } from './tool-terms.ts';
import type { Errand, Visit } from './visit.ts';

/** A request of a caller with what was found out about it before it is judged. */
export interface Ask {
  readonly errand: Errand;
  readonly message: RpcMessage;
  readonly era: McpEra;
}

const encoder = new TextEncoder();

const judgeLife = (seat: Seat, message: RpcMessage, action: ReturnType<typeof lifeAction>): void => {
  judgeMessage({ ...seat, tool: undefined }, message, () => [action], seat.room.limits.request);
};

/** One request that is judged and priced: every beat of the corridor. Throws a Fault where it is refused before its answer began. */
export async function callTool(ask: Ask): Promise<void> {
  const { errand, message } = ask;
  const { visit, principal, peer } = errand;
  const { gate, trail, room } = visit;
  const [part] = room.wire.asked(message);
  const tool = part?.tool ?? message.method;
  const standing = await standingOf(ask);
  const schema = standing?.state === 'approved' ? member(standing.definition, 'inputSchema') : undefined;
  if (ask.era === 'modern') room.wire.checkHeaders(message, visit.arrival.headers, schema);
  const server = peer.server.name;
  const callId = callIdOf(message);
  const plain: ToolRef = { name: tool, server, callId };
  refuseUnapproved(visit, principal, plain, standing);
  const first = startRun(visit, principal);
  const price = gate.cashier.tool(server, tool, part?.target ?? {}, trail.at);
  const quote = quoteTool(price);
  trail.quote = quote;
  const hold = await reserveTool(gate, trail, principal, quote, plain);
  const known = { callId, priceUsd: priceUsd(price), ...(standing && { pinned: true }) };
  const bench = benchOf(errand, quote, hold);
  const seat: Seat = { bench, room, trail, server, tool: known };
  let carried: RpcMessage;
  try {
    refuseHidden(seat, principal, plain);
    if (first && !errand.session) judgeLife(seat, message, lifeAction('agent_startup', errand));
    ({ message: carried } = judgeMessage(seat, message, room.wire.asked, room.limits.request));
    await begin(gate, trail, principal, hold);
  } catch (error) {
    await release(gate, trail, hold.amount);
    throw error;
  }
  const args = room.wire.asked(carried)[0]?.target ?? {};
  await carry({ ...ask, message: carried }, seat, hold, { server, tool, args }, changesOf(ask, carried, schema));
}

/** Everything else: carried with the envelope rules and its answer reviewed, without price and step. */
export async function relayRequest(ask: Ask): Promise<void> {
  const { errand, message } = ask;
  const { visit } = errand;
  if (ask.era === 'modern' && message.kind === 'request')
    visit.room.wire.checkHeaders(message, visit.arrival.headers, undefined);
  const seat = seatOf(errand);
  if (message.method === 'initialize') judgeLife(seat, message, lifeAction('agent_startup', errand));
  await carry(ask, seat, NO_HOLD, undefined, {});
}

/** Only what somebody approved may be called; a hidden name that was guessed is denied like any other (mcp-plane.md 8). */
function refuseUnapproved({ trail }: Visit, principal: Principal, tool: ToolRef, standing: Standing | undefined): void {
  if (!standing || standing.state === 'approved') return;
  const why =
    standing.state === 'unknown'
      ? 'no list of its server shows it, or nobody approved it; ask for the list of tools and use one of those'
      : `${standing.why}; an operator can approve it with \`tollgate mcp pins approve ${standing.approval}\``;
  throw denyTool(trail, principal, tool, {
    code: 'TG_POLICY_DENIED',
    rule: `pins/${standing.state}`,
    reason: standing.state === 'quarantined' ? 'tool_changed' : 'tool_not_approved',
    message: `tollgate denied the call of tool \`${tool.name}\`: ${why}`,
  });
}

/** What a `hide` takes out of every list is not called either: a rule that denies speaks for itself. */
function refuseHidden(seat: Seat, principal: Principal, tool: ToolRef): void {
  const never = whyNever(seat, tool.name);
  if (never?.by !== 'hidden') return;
  throw denyTool(seat.trail, principal, tool, {
    code: 'TG_POLICY_DENIED',
    rule: never.rule ?? 'hidden',
    reason: never.reason ?? 'hidden_tool',
    message: `tollgate denied the call of tool \`${tool.name}\`: rule \`${never.rule}\` hides it${never.message === undefined ? '' : `: ${never.message}`}`,
  });
}

function changesOf(
  { errand, message, era }: Ask,
  carried: RpcMessage,
  schema: Parameters<typeof errand.visit.room.wire.headersFor>[2],
) {
  if (era === 'legacy' || carried === message) return {};
  return errand.visit.room.wire.headersFor(carried, errand.visit.arrival.headers, schema);
}

/** begin → relay → settle → review: the message goes out, its answer comes back, and whatever happened is charged once. */
async function carry(
  ask: Ask,
  seat: Seat,
  hold: Hold,
  priced: PricedCall | undefined,
  changes: Readonly<Record<string, string>>,
): Promise<void> {
  const { errand, message, era } = ask;
  const { visit } = errand;
  const { gate, trail } = visit;
  const watch = watchLeg(errand);
  const leg: Leg = {
    errand,
    seat,
    request: message.kind === 'request' ? message : undefined,
    era,
    signal: watch.signal,
  };
  const stop = keepLease(visit, hold);
  let served = false;
  let relayed: Relayed | undefined;
  try {
    gate.metrics.overhead(trail.elapsedMs() / 1000);
    const answer = await send(leg, 'POST', encoder.encode(message.doc.text), changes);
    served = answer.status < 300;
    relayed = await relayAnswer(leg, answer, (response, request) => review(leg, request, response, answer));
    trail.ending = relayed.ending;
  } catch (error) {
    served ||= !isUnreached(error);
    if (watch.halt.what) throw haltFault(watch.halt.what);
    if (visit.reply.gone.aborted) {
      trail.ending = 'client_left';
      remember(leg);
      return;
    }
    trail.ending = endingOf(error, served);
    throw error;
  } finally {
    stop();
    watch.close();
    await conclude(ask, hold, priced, served, relayed);
  }
}

const isUnreached = (error: unknown): boolean =>
  error instanceof Fault && (error.code === 'TG_UPSTREAM_UNREACHABLE' || error.code === 'TG_UPSTREAM_AUTH');

function endingOf(error: unknown, served: boolean): Ending {
  if (error instanceof Fault && error.code === 'TG_POLICY_DENIED') return 'denied';
  return served ? 'upstream_broke' : 'upstream_error';
}

/** Charges what was carried and tells the run; a call that certainly reached nobody gives its hold back. */
async function conclude(
  { errand: { visit, principal } }: Ask,
  hold: Hold,
  priced: PricedCall | undefined,
  served: boolean,
  relayed: Relayed | undefined,
): Promise<void> {
  if (!priced) return;
  const { gate, trail, space } = visit;
  if (!served) {
    if (hold.accounts.length > 0) await release(gate, trail, hold.amount);
    return;
  }
  const cost = await settleTool(gate, trail, priced, hold, {
    result: relayed?.result,
    failed: relayed?.failed ?? false,
  });
  try {
    gate.runs.update(space, principal.run.id, {
      at: gate.clock.now(),
      cost,
      conversation: { dialect: 'mcp', messages: [], issuedIds: [] },
      answer: { role: 'tool', canonical: '' },
      issuedIds: [],
      requestHash: trail.id,
    });
  } catch (error) {
    gate.log.error(
      { error: error instanceof Error ? error.message : 'unknown' },
      'a run did not take in a finished call; what it knows of itself is behind',
    );
  }
}

/** A call that lives longer than its lease renews it. */
function keepLease({ gate, trail }: Visit, hold: Hold): () => void {
  if (hold.accounts.length === 0) return () => {};
  return heartbeat(gate.limits.leaseMs / 3, () => {
    gate.ledger.renew(trail.id, epochMs(gate.clock.now() + gate.limits.leaseMs)).catch((error: unknown) => {
      const why = error instanceof Error ? error.message : 'unknown';
      gate.log.warn({ call: trail.id, error: why }, 'a hold could not be renewed');
    });
  });
}
