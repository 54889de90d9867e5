import type { ModelRef } from '../domain/action.ts';
import { Fault } from '../domain/fault.ts';
import type { Quote } from '../domain/pricing.ts';
import type { Principal } from '../domain/principal.ts';
import { type Digest, nano } from '../domain/scalars.ts';
import type { Dialect, Envelope, Reading } from '../ports/dialect.ts';
import type { Arrival, Caller } from '../ports/identity.ts';
import type { Conversation, RunSpace, StepTicket } from '../ports/runs.ts';
import { carry } from './carry.ts';
import { noteCauses } from './causes.ts';
import { type ChargeTerms, priceOnce } from './charge.ts';
import { type Claim, claim, tongueFor } from './claim.ts';
import { begin, release, remember, seal, settle } from './conclude.ts';
import { type Decision, decide, decideAsking, type Plea, permitOpenRoute } from './decide.ts';
import { decideBatch } from './decide-batch.ts';
import { denyCall } from './denied-call.ts';
import type { Noses } from './detect.ts';
import { callFacts } from './facts.ts';
import { follow } from './follow.ts';
import type { Gateway } from './gateway.ts';
import type { Hold } from './hold.ts';
import { digestOf } from './identities.ts';
import type { Bench } from './judgement.ts';
import { NOT_SERVED, type Outcome } from './outcome.ts';
import { withoutQueryCredential } from './query-credential.ts';
import { quoteOf } from './quote-of.ts';
import { readCall } from './read-call.ts';
import type { Reply } from './reply.ts';
import { modelOf } from './request-actions.ts';
import { refit, reserve } from './reserve.ts';
import { refuse, sayRefusal } from './say.ts';
import { Trail } from './trail.ts';

/** A request as the server hands it over, its body read. */
export interface Call {
  readonly arrival: Arrival;
  readonly body: Uint8Array;
}

/**
 * The gateway, in order: arrive → claim → identify → read → quote → reserve → decide → transform → begin → relay → settle → review →
 * say → seal. One exit, one receipt. Never throws for anything a caller or an upstream does.
 */
export async function exchange(gate: Gateway, noses: Noses, call: Call, reply: Reply): Promise<void> {
  const trail = new Trail(gate);
  gate.metrics.inFlight(1);
  let route: Claim | undefined;
  try {
    const found = claim(gate, call.arrival.method, call.arrival.url);
    const arrival = withoutQueryCredential(call.arrival, found.tongue);
    route = arrival === call.arrival ? found : claim(gate, arrival.method, arrival.url);
    const clean = { ...call, arrival };
    trail.upstream = route.destination.name;
    trail.dialect = (route.dialect ?? route.followUp?.dialect)?.name ?? 'open-route';
    if (route.followUp) await follow({ gate, noses, trail, route, call: clean, reply });
    else if (route.dialect) await governed(gate, noses, trail, route, route.dialect, clean, reply);
    else await declared(gate, trail, route, clean, reply);
  } catch (error) {
    refuse(trail, error);
    sayRefusal(gate, trail, route?.tongue ?? tongueFor(gate, call.arrival.url), reply, error);
  } finally {
    gate.metrics.inFlight(-1);
    await seal(gate, trail);
  }
}

/** A call that was read and whose names are known. */
interface Known {
  readonly caller: Caller;
  readonly reading: Reading;
  readonly envelope: Envelope | undefined;
  readonly model: ModelRef;
  readonly principal: Principal;
  readonly space: RunSpace;
  readonly conversation: Conversation;
  readonly requestHash: Digest;
  readonly ticket: StepTicket;
}

/** identify → read: who calls, what it says, which step of which run it is. */
async function known(gate: Gateway, trail: Trail, route: Claim, dialect: Dialect, call: Call): Promise<Known> {
  const caller = await gate.identity.authenticate(call.arrival, dialect.credentialHeaders);
  const envelope = dialect.unwrap && (await dialect.unwrap(call.body, call.arrival.headers));
  const reading = readCall(dialect, call, route.upstreamPath, envelope);
  trail.model = reading.model;
  trail.stream = reading.stream;
  const space: RunSpace = { tenant: caller.tenant.id, key: caller.key ?? 'open' };
  const conversation = { dialect: dialect.name, messages: reading.messages, issuedIds: reading.issuedIds };
  const principal = gate.identity.attribute(caller, call.arrival, route.labels, {
    asserted: reading.asserted,
    infer: () => gate.runs.infer(space, conversation),
    freshRun: () => gate.ids.run(),
  });
  const model = modelOf(reading, route.destination.prices);
  const requestHash = digestOf(call.body);
  const ticket = enter(gate, trail, space, principal, model, call.arrival, requestHash, reading.bound.free);
  // a run that has a name is not looked for by its words
  const told = principal.run.assurance === 'inferred' ? conversation : { ...conversation, messages: [] };
  return { caller, reading, envelope, model, principal, space, conversation: told, requestHash, ticket };
}

/** A call in a known language: every beat of the corridor. */
async function governed(
  gate: Gateway,
  noses: Noses,
  trail: Trail,
  route: Claim,
  dialect: Dialect,
  call: Call,
  reply: Reply,
): Promise<void> {
  const { arrival } = call;
  const provider = route.destination.prices;
  const asked = await known(gate, trail, route, dialect, call);
  const { caller, reading, envelope, model, principal, space, ...turn } = asked;
  const quote = quoteOf(gate.cashier, provider, reading, trail.at, gate.budgets.length > 0);
  trail.quote = quote;
  const reserved = await held(gate, trail, principal, quote, model);

  // a request that failed before and is refused now is still unanswered
  const unanswered = (): void => {
    if (turn.ticket.attempt > 1) remember(gate, { ...turn, space, run: principal.run.id }, NOT_SERVED, nano(0n));
  };
  const { bench, verdict, hold } = await judged(gate, trail, reserved, unanswered, async () => {
    const bench: Bench = {
      gate,
      noses,
      principal,
      space,
      facts: callFacts(principal, arrival, route.upstreamPath, quote, reserved.balances, trail.at),
    };
    const plea: Plea = {
      reading,
      dialect,
      headers: arrival.headers,
      path: route.upstreamPath,
      provider,
      raw: call.body,
      digest: turn.requestHash,
      first: turn.ticket.first,
      quote,
      granted: reserved.amount,
      record: trail.record,
      encode: envelope?.encode,
    };
    const verdict = await decided(bench, plea);
    const edited = verdict.reading !== reading;
    const after = edited ? quoteOf(gate.cashier, provider, verdict.reading, trail.at, true) : quote;
    if (reserved.amount < quote.max) trail.clampedTo = verdict.reading.bound.outputCap;
    const hold = await refit(gate, trail, principal, reserved, after, model);
    await begin(gate, trail, principal, hold);
    return { bench, verdict, hold };
  });

  const carried = verdict.reading;
  const terms = termsOf(gate, provider, carried, trail, hold, quote);
  const hearing = { bench, dialect, model: modelOf(carried, provider), asked: carried, record: trail.record };
  let outcome: Outcome = { ...NOT_SERVED, served: true, ending: 'upstream_broke' };
  try {
    outcome = await carry({
      gate,
      route,
      arrival,
      caller,
      permit: verdict.permit,
      reading: carried,
      hearing,
      terms,
      trail,
      reply,
      leaseOf: trail.id,
    });
  } finally {
    trail.ending = outcome.ending;
    const charged = await settle(gate, trail, hold, terms, outcome);
    noteCauses(gate, trail, { space, run: principal.run.id }, carried, outcome, charged);
    if (!carried.bound.free) remember(gate, { ...turn, space, run: principal.run.id }, outcome, charged);
  }
}

/** A batch is judged request by request; remote detectors are asked first, where there are any. */
function decided(bench: Bench, plea: Plea): Decision | Promise<Decision> {
  if (plea.reading.members) return decideBatch(bench, plea);
  return bench.noses.asks ? decideAsking(bench, plea) : decide(bench, plea);
}

/** On what the call is charged, as it was carried. */
export function termsOf(
  gate: Gateway,
  provider: string,
  carried: Reading,
  trail: Trail,
  hold: Hold,
  quote: Quote,
): ChargeTerms {
  return {
    cashier: gate.cashier,
    provider,
    model: carried.model,
    at: trail.at,
    price: priceOnce(gate.cashier, provider, carried.model, trail.at),
    bound: carried.bound,
    held: hold.amount,
    outputCap: (carried.bound.outputCap ?? quote.outputCap) * carried.bound.choices,
    requests: carried.members?.length ?? 1,
  };
}

/** A route the operator declared open: identified and recorded, carried as it is. */
async function declared(gate: Gateway, trail: Trail, route: Claim, call: Call, reply: Reply): Promise<void> {
  const caller = await gate.identity.authenticate(call.arrival, route.tongue.credentialHeaders);
  const principal = gate.identity.attribute(caller, call.arrival, route.labels, {
    asserted: {},
    infer: () => undefined,
    freshRun: () => '-',
  });
  trail.principal = principal;
  const hold: Hold = { amount: nano(0n), accounts: [], balances: [] };
  await begin(gate, trail, principal, hold);
  const permit = permitOpenRoute(call.body.length > 0 ? call.body : undefined);
  const outcome = await carry({ gate, route, arrival: call.arrival, caller, permit, trail, reply, leaseOf: undefined });
  trail.ending = outcome.ending;
}

/** The call becomes a step of its run; throws a Fault (`TG_POLICY_DENIED`) where the run, its agent or its human is halted. */
export function enter(
  gate: Gateway,
  trail: Trail,
  space: RunSpace,
  principal: Principal,
  model: ModelRef,
  arrival: Arrival,
  requestHash: Digest,
  free = false,
): StepTicket {
  trail.principal = principal;
  for (const conflict of principal.conflicts) gate.metrics.identityConflict(conflict.split('=')[0] as string);
  const stopped = gate.runs.halted(space, principal.run.id, principal.agent.id, principal.human?.id);
  if (stopped) {
    throw denyCall(trail, principal, model, {
      code: 'TG_POLICY_DENIED',
      rule: `halt/${stopped}`,
      reason: 'halted',
      message: `tollgate halted this ${stopped}; nothing more is carried for it until an operator lifts the halt`,
    });
  }
  // what only counts is no turn of the model: the run does not grow by it
  if (free) return { step: 0, attempt: 1, first: gate.runs.facts(space, principal.run.id, trail.at).steps === 0 };
  const retries = Number(arrival.headers['x-stainless-retry-count'] ?? 0);
  const ticket = gate.runs.enter(space, principal.run.id, trail.at, requestHash, retries > 0);
  const { spawn } = principal;
  if (spawn) gate.runs.spawned(space, spawn.parent, principal.run.id, spawn.child, trail.at);
  trail.step = ticket.step;
  trail.attempt = ticket.attempt;
  return ticket;
}

/** Runs a beat that comes after the reservation; if it refuses, the hold is given back. */
async function judged<T>(
  gate: Gateway,
  trail: Trail,
  hold: Hold,
  refused: () => void,
  beat: () => Promise<T>,
): Promise<T> {
  try {
    return await beat();
  } catch (error) {
    refused();
    await release(gate, trail, hold.amount);
    throw error;
  }
}

/** Refusals that leave nothing held. */
const REFUSED: ReadonlySet<string> = new Set(['TG_BUDGET_EXCEEDED', 'TG_RATE_LIMITED']);

/** Reserves; where the ledger's answer was lost, what it may hold is given back by id, or lapses as a charge. */
export async function held(
  gate: Gateway,
  trail: Trail,
  principal: Principal,
  quote: Quote,
  model: ModelRef,
): Promise<Hold> {
  try {
    return await reserve(gate, trail, principal, quote, model);
  } catch (error) {
    if (!(error instanceof Fault && REFUSED.has(error.code))) await release(gate, trail, nano(0n));
    throw error;
  }
}
