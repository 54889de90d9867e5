import { Fault } from '../domain/fault.ts';
import { type CallId, epochMs } from '../domain/scalars.ts';
import type { Reading } from '../ports/dialect.ts';
import type { Arrival, Caller } from '../ports/identity.ts';
import type { UpstreamReply } from '../ports/upstream.ts';
import { type Carrier, openCarrier } from './carrier.ts';
import type { ChargeTerms } from './charge.ts';
import type { Claim } from './claim.ts';
import type { Gateway } from './gateway.ts';
import { type HaltWatch, haltText } from './halting.ts';
import { heartbeat } from './heartbeat.ts';
import { NOT_SERVED, type Outcome } from './outcome.ts';
import type { Permit } from './permit.ts';
import { textIn, wrapText } from './plain-text.ts';
import { dispatch } from './relay.ts';
import { relayStream } from './relay-stream.ts';
import { hearUnary, hearUnaryAsking, readWhole } from './relay-unary.ts';
import type { Reply } from './reply.ts';
import type { Hearing } from './review-unary.ts';
import { gateHeaders, refuse, sayRefusal } from './say.ts';
import type { Trail } from './trail.ts';

/** One permitted call on its way; `reading`, `hearing` and `terms` only where the language is known. */
export interface Carriage {
  readonly gate: Gateway;
  readonly route: Claim;
  readonly arrival: Arrival;
  readonly caller: Caller;
  readonly permit: Permit;
  readonly trail: Trail;
  readonly reply: Reply;
  /** the hold to renew while the call lives */
  readonly leaseOf: CallId | undefined;
  readonly reading?: Reading;
  readonly hearing?: Hearing;
  readonly terms?: ChargeTerms;
  /** reads a successful reply in its own way */
  readonly listen?: (upstream: UpstreamReply, carrier: Carrier, halt: HaltWatch) => Promise<Outcome>;
}

/** Carries a call and says its answer. Never throws for what an upstream or a caller does; the outcome tells what came of it. */
export async function carry(carriage: Carriage): Promise<Outcome> {
  const { gate, reply, trail } = carriage;
  const carrier = openCarrier(gate, reply);
  const stop = keepLease(gate, carriage.leaseOf);
  const halt = watchHalts(carriage, carrier);
  try {
    if (halt.what) return sayHalted(carriage, halt, { ...NOT_SERVED, ending: 'denied' });
    const upstream = await send(carriage, carrier);
    if (!upstream) return await unreached(carriage, carrier);
    trail.status = upstream.status;
    return await answer(carriage, carrier, upstream, halt);
  } catch (error) {
    carrier.abort();
    // an upstream's refusal costs nothing, whole or broken (meter.md 3.2)
    const outcome = { ...broken, served: trail.status < 300 };
    if (halt.what) return sayHalted(carriage, halt, { ...outcome, ending: 'cut' });
    if (carrier.callerLeft) return { ...outcome, ending: 'client_left' };
    refuse(trail, error);
    sayRefusal(gate, trail, carriage.route.tongue, reply, error);
    return outcome;
  } finally {
    stop();
    halt.close();
    carrier.close();
  }
}

/** A reader that takes nothing gets this long to hear that it was halted. */
const HALT_GRACE_MS = 400;

/** Ends the call when its run, agent or human is halted: the upstream is aborted, a caller that does not read is cut off. */
class CallHalts implements HaltWatch {
  readonly #watch: HaltWatch;
  #grace: NodeJS.Timeout | undefined;

  constructor({ gate, reply }: Carriage, { bench: { space, principal } }: Hearing, carrier: Carrier) {
    this.#watch = gate.halting.watch(
      () => gate.runs.halted(space, principal.run.id, principal.agent.id, principal.human?.id),
      () => {
        carrier.abort();
        this.#grace = setTimeout(() => reply.cut(), HALT_GRACE_MS);
      },
    );
  }

  get what(): HaltWatch['what'] {
    return this.#watch.what;
  }

  close(): void {
    clearTimeout(this.#grace);
    this.#watch.close();
  }
}

const watchHalts = (carriage: Carriage, carrier: Carrier): HaltWatch =>
  carriage.hearing ? new CallHalts(carriage, carriage.hearing, carrier) : { what: undefined, close: () => {} };

function sayHalted({ gate, trail, route, reply }: Carriage, { what = 'run' }: HaltWatch, outcome: Outcome): Outcome {
  const fault = new Fault('TG_POLICY_DENIED', haltText(what), undefined, { rule: `halt/${what}`, reason: 'halted' });
  refuse(trail, fault);
  sayRefusal(gate, trail, route.tongue, reply, fault);
  return outcome;
}

const broken: Outcome = { ...NOT_SERVED, ending: 'upstream_broke', served: true };

/** Undefined where the upstream was certainly not reached; then `carriage.trail` holds the fault. */
async function send(
  { gate, route, arrival, caller, permit, trail, reply }: Carriage,
  carrier: Carrier,
): Promise<UpstreamReply | undefined> {
  gate.metrics.overhead(trail.elapsedMs() / 1000);
  try {
    const { method, headers } = arrival;
    const out = {
      gate,
      claim: route,
      method,
      headers,
      ownsGatewayKey: caller.ownsGatewayKey,
      permit,
      signal: carrier.signal,
    };
    return await dispatch(out, (n) => n > 1 && trail.note(`upstream attempt ${n}`));
  } catch (error) {
    if (!(error instanceof Fault) || error.code !== 'TG_UPSTREAM_UNREACHABLE') throw error;
    refuse(trail, error);
    sayRefusal(gate, trail, route.tongue, reply, error);
    return undefined;
  }
}

async function unreached({ reply }: Carriage, carrier: Carrier): Promise<Outcome> {
  return { ...NOT_SERVED, ending: carrier.callerLeft && !reply.started ? 'client_left' : 'upstream_error' };
}

async function answer(
  carriage: Carriage,
  carrier: Carrier,
  upstream: UpstreamReply,
  halt: HaltWatch,
): Promise<Outcome> {
  const { reading, hearing, terms, listen } = carriage;
  if (listen && upstream.status < 300) return listen(upstream, carrier, halt);
  if (upstream.status >= 300 || !reading || !hearing || !terms) return passThrough(carriage, carrier, upstream);
  const type = String(upstream.headers['content-type'] ?? '').toLowerCase();
  if (hearing.dialect.isStream?.(type, reading) ?? type.startsWith('text/event-stream')) {
    const { gate, reply, trail, route } = carriage;
    reply.head(upstream.status, { ...upstream.headers, ...gateHeaders(trail), 'x-accel-buffering': 'no' });
    const onFirstByte = (): void => {
      trail.firstByteTicks ??= gate.clock.ticks();
    };
    const reader = (route.dialect ?? hearing.dialect).openStream(reading);
    const outcome = await relayStream({ hearing, terms, reader, reply, carrier, halt, onFirstByte }, upstream);
    trail.fault = outcome.fault;
    return outcome;
  }
  const whole = await readWhole(upstream, carriage.gate.limits.replyBytes, carrier);
  const plain = hearing.dialect.isPlainText?.(type, reading) === true;
  const bytes = plain ? wrapText(whole) : whole;
  const { outcome, body, refusal } = hearing.bench.noses.asks
    ? await hearUnaryAsking(hearing, terms, bytes, carrier.signal)
    : hearUnary(hearing, terms, bytes);
  if (carrier.callerLeft) return { ...outcome, ending: 'client_left' };
  sayUnary(carriage, upstream, plain && !refusal ? textIn(body) : body, refusal);
  return refusal ? { ...outcome, ending: refusal.code === 'TG_POLICY_DENIED' ? 'denied' : outcome.ending } : outcome;
}

function sayUnary(
  { gate, reply, route, trail }: Carriage,
  upstream: UpstreamReply,
  body: Uint8Array,
  refusal: Fault | undefined,
): void {
  if (refusal) {
    refuse(trail, refusal);
    sayRefusal(gate, trail, route.tongue, reply, refusal);
    return;
  }
  trail.firstByteTicks = gate.clock.ticks();
  reply.head(upstream.status, { ...upstream.headers, ...gateHeaders(trail), 'content-length': String(body.length) });
  reply.end(body);
}

/** An upstream's refusal, or an open route: head and body as they are. A refusal costs nothing (meter.md 3.2). */
async function passThrough(
  { gate, reply, trail, hearing }: Carriage,
  carrier: Carrier,
  upstream: UpstreamReply,
): Promise<Outcome> {
  reply.head(upstream.status, { ...upstream.headers, ...gateHeaders(trail) });
  for await (const chunk of upstream.body) {
    trail.firstByteTicks ??= gate.clock.ticks();
    if (carrier.callerLeft) break;
    await reply.write(chunk);
  }
  reply.end();
  if (carrier.callerLeft) return { ...NOT_SERVED, ending: 'client_left' };
  return { ...NOT_SERVED, ending: hearing && upstream.status >= 300 ? 'upstream_error' : 'completed' };
}

/** A call that lives longer than its lease renews it; a failed renewal is a log line, the hold then lapses as a charge. */
export function keepLease(gate: Gateway, id: CallId | undefined): () => void {
  if (id === undefined) return () => {};
  return heartbeat(gate.limits.leaseMs / 3, () => {
    gate.ledger.renew(id, epochMs(gate.clock.now() + gate.limits.leaseMs)).catch((error: unknown) => {
      gate.log.warn(
        { call: id, error: error instanceof Error ? error.message : 'unknown' },
        'a hold could not be renewed',
      );
    });
  });
}
