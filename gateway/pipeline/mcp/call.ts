import type { ToolRef } from '../../domain/action.ts';
import { Fault } from '../../domain/fault.ts';
import { member } from '../../domain/json.ts';
import type { Ending } from '../../domain/receipt.ts';
import type { RpcMessage } from '../../ports/mcp-wire.ts';
import { keepLease } from '../carry.ts';
import { begin, release } from '../conclude.ts';
import { type Hold, isKept } from '../hold.ts';
import { claimsOf } from '../trust/tool-claims.ts';
import type { Ask } from './ask.ts';
import { judgeMessage, type Seat } from './judge-message.ts';
import { haltFault, type Leg, send, watchLeg } from './leg.ts';
import { callIdOf } from './name-run.ts';
import { refuseHidden, refuseUnapproved } from './refuse-tool.ts';
import { relayAnswer } from './relay-answer.ts';
import { remember } from './relay-events.ts';
import type { Relayed } from './relayed.ts';
import { review } from './review.ts';
import { benchOf, judgeStartup, seatOf } from './seat.ts';
import { standingOf } from './standing.ts';
import { startRun } from './start-run.ts';
import { refuseForeignTask } from './tasks.ts';
import {
  countsResult,
  NO_HOLD,
  NO_PRICE,
  type PricedCall,
  priceUsd,
  quoteTool,
  reserveTool,
  settleTool,
} from './tool-terms.ts';
import type { Visit } from './visit.ts';

/** What carrying a message takes. */
interface Way {
  readonly hold: Hold;
  /** undefined: it is not charged */
  readonly priced: PricedCall | undefined;
  readonly changes: Readonly<Record<string, string>>;
}

const encoder = new TextEncoder();

/** One request that is judged and priced: every beat of the corridor. Throws a Fault where it is refused before its answer began. */
export async function callTool(asked: Ask): Promise<void> {
  const { visit, principal, peer } = asked.errand;
  const { gate, trail, room } = visit;
  const server = peer.server.name;
  const standing = await standingOf(asked);
  const definition = standing?.state === 'approved' ? standing.definition : undefined;
  const schema = member(definition, 'inputSchema');
  if (asked.era === 'modern') room.wire.checkHeaders(asked.message, visit.arrival.headers, schema);
  const ask = { ...asked, message: asked.retry?.message ?? asked.message };
  const [part] = room.wire.asked(ask.message);
  const args = part?.target ?? {};
  const callId = callIdOf(visit, ask.message);
  const plain: ToolRef = { name: part?.tool ?? ask.message.method, server, callId };
  refuseUnapproved(trail, principal, plain, standing);
  const first = startRun(visit, principal, asked.retry?.lineage, asked.errand.proposal);
  const price = asked.retry ? undefined : gate.cashier.tool(server, plain.name, args, trail.at);
  const quote = asked.retry ? NO_PRICE : quoteTool(price);
  trail.quote = quote;
  const hold = asked.retry ? NO_HOLD : await reserveTool(gate, trail, principal, quote, plain);
  const claims = standing?.state === 'approved' ? claimsOf(standing.definition) : undefined;
  const known = { callId, priceUsd: priceUsd(price), ...(standing && { pinned: true, claims }) };
  const { proposal } = asked.errand;
  const inLog = asked.retry !== undefined || proposal !== undefined;
  const seat: Seat = { bench: benchOf(ask.errand, quote, hold), room, trail, server, tool: known, inLog, definition };
  let carried: RpcMessage;
  try {
    refuseHidden(seat, principal, plain);
    if (first && !ask.errand.session) await judgeStartup(seat, ask.message, ask.errand);
    ({ message: carried } = await judgeMessage(seat, ask.message, room.wire.asked, room.limits.request));
    await begin(gate, trail, principal, hold);
    if (proposal) gate.proposals.take(visit.space, proposal);
    else if (!asked.retry && ask.message.method === 'tools/call')
      trail.note('unproposed: no reply of a model that passed here proposed this call');
  } catch (error) {
    await giveBack(visit, hold);
    throw error;
  }
  const priced = { server, tool: plain.name, args: room.wire.asked(carried)[0]?.target ?? {} };
  const way = { hold, priced: asked.retry ? undefined : priced, changes: changesOf(ask, carried, schema) };
  await carry({ ...ask, message: carried, original: asked.message }, seat, way);
}

/** Everything else: carried with the envelope rules and its answer reviewed, without price and step. */
export async function relayRequest(ask: Ask): Promise<void> {
  const { errand, message } = ask;
  const { visit } = errand;
  if (ask.era === 'modern' && message.kind === 'request')
    visit.room.wire.checkHeaders(message, visit.arrival.headers, undefined);
  refuseForeignTask(errand, message, ask.era);
  const seat = seatOf(errand);
  if (message.method === 'initialize') await judgeStartup(seat, message, errand);
  await carry(ask, seat, { hold: NO_HOLD, priced: undefined, changes: {} });
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
async function carry(ask: Ask, seat: Seat, { hold, priced, changes }: Way): Promise<void> {
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
    countsResult: priced && countsResult(gate, trail.at, priced),
    lineage: ask.retry?.lineage,
    original: ask.original ?? message,
  };
  const stop = keepLease(visit.gate, isKept(hold) ? visit.trail.id : undefined);
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
    await giveBack(visit, hold);
    return;
  }
  const cost = await settleTool(gate, trail, priced, hold, {
    result: relayed?.result,
    failed: relayed?.failed ?? false,
    unread: relayed?.unread,
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

/** Nothing was carried: what was held for it is free again. */
const giveBack = async ({ gate, trail }: Visit, hold: Hold): Promise<void> => {
  if (isKept(hold)) await release(gate, trail, hold.amount);
};
