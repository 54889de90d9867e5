import { Fault } from '../domain/fault.ts';
import { JsonFault, parseStrict } from '../domain/json-text.ts';
import type { RequestBound } from '../domain/pricing.ts';
import { nano } from '../domain/scalars.ts';
import type { DeferredCall } from '../ports/deferrals.ts';
import type { Dialect, FollowUp, Reading } from '../ports/dialect.ts';
import type { Arrival, Caller } from '../ports/identity.ts';
import type { UpstreamReply } from '../ports/upstream.ts';
import type { Carrier } from './carrier.ts';
import { type Carriage, carry } from './carry.ts';
import { type ChargeTerms, priceOnce } from './charge.ts';
import type { Claim } from './claim.ts';
import { begin } from './conclude.ts';
import { permitOpenRoute } from './decide.ts';
import { objectName, type Settled, settleDeferred } from './deferred.ts';
import type { Noses } from './detect.ts';
import { callFacts } from './facts.ts';
import type { Gateway } from './gateway.ts';
import type { HaltWatch } from './halting.ts';
import { land } from './landing.ts';
import { NOT_SERVED, type Outcome } from './outcome.ts';
import { relayLines } from './relay-lines.ts';
import { relayStream } from './relay-stream.ts';
import { hearUnary, hearUnaryAsking, readWhole } from './relay-unary.ts';
import type { Reply } from './reply.ts';
import { modelOf } from './request-actions.ts';
import type { Hearing } from './review-unary.ts';
import { gateHeaders, refuse, sayRefusal } from './say.ts';
import type { Trail } from './trail.ts';

export interface Question {
  readonly gate: Gateway;
  readonly noses: Noses;
  readonly trail: Trail;
  readonly route: Claim;
  readonly call: { readonly arrival: Arrival; readonly body: Uint8Array };
  readonly reply: Reply;
}

/** A question with what is known about what it asks for. */
interface Asked extends Question {
  readonly dialect: Dialect;
  readonly kind: FollowUp['reply'];
  readonly later: DeferredCall | undefined;
  readonly hearing: Hearing;
  readonly terms: ChargeTerms;
}

/**
 * Carries a question about what an earlier call began: identified, recorded, free of charge. Its answer is judged like the reply of
 * that call; where it shows what the call used, that call is charged, once. Throws a Fault for what may not be asked.
 */
export async function follow(question: Question): Promise<void> {
  const { gate, trail, route, call, reply } = question;
  const { dialect, route: asks } = route.followUp as NonNullable<Claim['followUp']>;
  const { arrival, body } = call;
  const caller = await gate.identity.authenticate(arrival, dialect.credentialHeaders);
  const name = asks.object === undefined ? undefined : objectName(route.destination.name, asks.object);
  const later = name === undefined ? undefined : gate.deferrals.find(name);
  if (later && later.principal.tenant.id !== caller.tenant.id)
    throw new Fault('TG_POLICY_DENIED', `\`${asks.object}\` was begun by another tenant`, undefined, {
      rule: 'tenant/isolation',
      reason: 'another_tenant',
    });
  const asked = asking(question, dialect, asks.reply, later, caller);
  await begin(gate, trail, asked.hearing.bench.principal, { amount: nano(0n), accounts: [], balances: [] });
  let settled: Settled | undefined;
  const listen: Carriage['listen'] = async (upstream, carrier, halt) => {
    const heard = await hear(asked, upstream, carrier, halt);
    settled = heard.settled;
    return heard.outcome;
  };
  const permit = permitOpenRoute(body.length > 0 ? body : undefined);
  const outcome = await carry({
    gate,
    route,
    arrival,
    caller,
    permit,
    trail,
    reply,
    leaseOf: undefined,
    ...(asks.reply !== 'other' && { listen }),
  });
  trail.ending = outcome.ending;
  trail.servedModel = outcome.servedModel;
  if (settled && later) {
    const charged = await settleDeferred(gate, later, settled);
    if (charged !== undefined) trail.note(`it showed what call ${later.call} used, which is charged now`);
  }
}

function asking(
  question: Question,
  dialect: Dialect,
  kind: FollowUp['reply'],
  later: DeferredCall | undefined,
  caller: Caller,
): Asked {
  const { gate, noses, trail, route, call } = question;
  const own = later?.principal.key === caller.key ? later?.principal.run.id : undefined;
  const principal = gate.identity.attribute(caller, call.arrival, route.labels, {
    asserted: {},
    infer: () => own,
    freshRun: () => '-',
  });
  trail.principal = principal;
  trail.model = later?.model ?? '';
  const provider = route.destination.prices;
  const model = later?.model ?? '';
  const at = later?.at ?? trail.at;
  const bound: RequestBound = { model, bytes: 0, choices: 1, opaque: [], serverTools: [] };
  const quote = gate.cashier.quote(provider, { ...bound, free: true }, trail.at, true);
  const bench = {
    gate,
    noses,
    principal,
    space: { tenant: caller.tenant.id, key: caller.key ?? 'open' },
    facts: callFacts(principal, call.arrival, route.upstreamPath, quote, [], trail.at),
  };
  const reading = emptyReading(bound);
  return {
    ...question,
    dialect,
    kind,
    later,
    hearing: { bench, dialect, model: modelOf(reading, provider), asked: reading, record: sparing(trail) },
    terms: {
      cashier: gate.cashier,
      provider,
      model,
      at,
      price: priceOnce(gate.cashier, provider, model, at),
      bound,
      held: later?.hold ?? nano(0n),
      outputCap: 0,
      requests: later?.requests ?? 1,
    },
  };
}

/** A receipt names this many allowed actions, and every other one. */
const RECORDED = 1000;

function sparing(trail: Trail): Trail['record'] {
  let seen = 0;
  return (action) => {
    seen += 1;
    if (seen <= RECORDED || action.decision !== 'allow') trail.record(action);
  };
}

/** The request that is answered is long gone. */
const emptyReading = (bound: RequestBound): Reading => ({
  doc: { text: '{}', value: {} },
  model: bound.model,
  stream: true,
  tools: [],
  bound,
  cap: { at: '', floor: 1 },
  parts: [],
  input: undefined,
  results: [],
  messages: [],
  issuedIds: [],
  asserted: {},
  preparation: [],
});

interface Heard {
  readonly outcome: Outcome;
  readonly settled?: Settled | undefined;
}

async function hear(asked: Asked, upstream: UpstreamReply, carrier: Carrier, halt: HaltWatch): Promise<Heard> {
  if (asked.kind === 'lines') return hearLines(asked, upstream, carrier);
  const type = String(upstream.headers['content-type'] ?? '').toLowerCase();
  if (asked.kind === 'answer' && type.startsWith('text/event-stream'))
    return hearStream(asked, upstream, carrier, halt);
  const bytes = await readWhole(upstream, asked.gate.limits.replyBytes, carrier);
  return asked.kind === 'answer' ? hearAnswer(asked, upstream, carrier, bytes) : hearStatus(asked, upstream, bytes);
}

function say({ gate, reply, trail }: Asked, upstream: UpstreamReply, body: Uint8Array): void {
  trail.firstByteTicks = gate.clock.ticks();
  reply.head(upstream.status, { ...upstream.headers, ...gateHeaders(trail), 'content-length': String(body.length) });
  reply.end(body);
}

const completed: Outcome = { ...NOT_SERVED, ending: 'completed' };
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function hearStatus(asked: Asked, upstream: UpstreamReply, bytes: Uint8Array): Heard {
  try {
    const doc = parseStrict(utf8.decode(bytes));
    const status = asked.dialect.readStatus?.(doc);
    const text = land(doc.text, status?.edits ?? []);
    say(asked, upstream, text === doc.text ? bytes : new TextEncoder().encode(text));
    if (!status?.free) return { outcome: completed };
    return {
      outcome: completed,
      settled: { exact: true, ending: 'completed', note: 'it ended without anything to charge' },
    };
  } catch (error) {
    if (!(error instanceof JsonFault || error instanceof TypeError)) throw error;
    throw new Fault('TG_UPSTREAM_UNREADABLE', 'the answer of the upstream is not readable JSON', error);
  }
}

async function hearAnswer(asked: Asked, upstream: UpstreamReply, carrier: Carrier, bytes: Uint8Array): Promise<Heard> {
  const { hearing, terms, route, gate, trail, reply } = asked;
  const { outcome, body, refusal } = hearing.bench.noses.asks
    ? await hearUnaryAsking(hearing, terms, bytes, carrier.signal)
    : hearUnary(hearing, terms, bytes);
  const settled = outcome.deferred || !outcome.usage ? undefined : settledBy(asked, outcome);
  if (carrier.callerLeft) return { outcome: { ...outcome, ending: 'client_left' }, settled };
  if (refusal) {
    refuse(trail, refusal);
    sayRefusal(gate, trail, route.tongue, reply, refusal);
    const ending = refusal.code === 'TG_POLICY_DENIED' ? 'denied' : outcome.ending;
    return { outcome: { ...outcome, ending }, settled };
  }
  say(asked, upstream, body);
  return { outcome, settled };
}

function settledBy({ terms }: Asked, { usage, servedModel }: Outcome): Settled {
  return {
    usage,
    cost: usage && terms.price(usage),
    servedModel,
    exact: usage?.certainty === 'exact',
    ending: 'completed',
    note: 'charged when its answer was asked for',
  };
}

async function hearStream(asked: Asked, upstream: UpstreamReply, carrier: Carrier, halt: HaltWatch): Promise<Heard> {
  const { hearing, terms, reply, dialect, gate, trail } = asked;
  reply.head(upstream.status, { ...upstream.headers, ...gateHeaders(trail), 'x-accel-buffering': 'no' });
  const onFirstByte = (): void => {
    trail.firstByteTicks ??= gate.clock.ticks();
  };
  const reader = dialect.openStream(hearing.asked);
  const outcome = await relayStream({ hearing, terms, reader, reply, carrier, halt, onFirstByte }, upstream);
  trail.fault = outcome.fault;
  return { outcome, settled: outcome.usage?.certainty === 'exact' ? settledBy(asked, outcome) : undefined };
}

async function hearLines(asked: Asked, upstream: UpstreamReply, carrier: Carrier): Promise<Heard> {
  const { hearing, terms, reply, dialect, gate, trail, later } = asked;
  if (!dialect.results) throw new Fault('TG_INTERNAL', `\`${dialect.name}\` reads no results`);
  reply.head(upstream.status, { ...upstream.headers, ...gateHeaders(trail) });
  const onFirstByte = (): void => {
    trail.firstByteTicks ??= gate.clock.ticks();
  };
  const limit = gate.limits.replyBytes;
  const heard = await relayLines(
    { hearing, terms, results: dialect.results, reply, carrier, limit, onFirstByte },
    upstream,
  );
  if (carrier.callerLeft) reply.cut();
  else reply.end();
  const { tally, lines, whole } = heard;
  const outcome: Outcome = { ...completed, ending: carrier.callerLeft ? 'client_left' : 'completed' };
  if (!later || !whole || lines !== later.requests) return { outcome };
  const note = `charged when its ${lines} results were read`;
  return {
    outcome,
    settled: { usage: tally.usage(), cost: tally.cost(), exact: tally.exact, ending: 'completed', note },
  };
}
