import type { Principal } from '../domain/principal.ts';
import type { JudgedAction } from '../domain/receipt.ts';
import type { Reading } from '../ports/dialect.ts';
import type { Arrival, Caller } from '../ports/identity.ts';
import type { RunSpace } from '../ports/runs.ts';
import type { SocketSession } from '../ports/socket-language.ts';
import type { SocketClaim } from './claim.ts';
import type { Noses } from './detect.ts';
import type { Gateway } from './gateway.ts';
import { Trail } from './trail.ts';

/** Who is on a socket: worked out anew for every call, because keys are revoked and bodies name runs. */
export interface Speaker {
  readonly caller: Caller;
  readonly principal: Principal;
  readonly space: RunSpace;
}

/** One socket as its calls know it. */
export interface Line {
  /** the gate in force; a reload holds from the next call on */
  readonly gate: () => Gateway;
  readonly noses: Noses;
  readonly arrival: Arrival;
  readonly route: SocketClaim;
  readonly session: SocketSession;
  /** the run of calls that nothing names: the socket's own */
  readonly ownRun: string;
  /** who opened it */
  readonly opener: Speaker;
  /** who made a call on it, by run, the latest 1,000: what a halt may name */
  readonly speakers: Map<string, Speaker>;
  /** actions judged since the last call: its receipt names them */
  readonly heard: JudgedAction[];
}

/** Runs of one socket that a halt may name: bodies name runs, so there may be any number. */
const MOST_SPEAKERS = 1000;

/** Takes in who made a call. */
export function spoke({ speakers }: Line, speaker: Speaker): void {
  const { space, principal } = speaker;
  const name = JSON.stringify([space.tenant, space.key, principal.run.id]);
  speakers.delete(name);
  speakers.set(name, speaker);
  const [oldest] = speakers.keys();
  if (oldest !== undefined && speakers.size > MOST_SPEAKERS) speakers.delete(oldest);
}

/** The trail of one call on a socket. */
export function trailOf(line: Pick<Line, 'route'>, gate: Gateway, model: string): Trail {
  const trail = new Trail(gate);
  trail.upstream = line.route.destination.name;
  trail.dialect = line.route.dialect.name;
  trail.model = model;
  trail.stream = true;
  return trail;
}

/** Whose call it is. Throws a Fault where the key is no longer good. */
export async function speakerOf(
  gate: Gateway,
  { arrival, route, ownRun }: Pick<Line, 'arrival' | 'route' | 'ownRun'>,
  reading?: Reading,
): Promise<Speaker> {
  const caller = await gate.identity.authenticate(arrival, route.dialect.credentialHeaders);
  const space: RunSpace = { tenant: caller.tenant.id, key: caller.key ?? 'open' };
  const conversation = {
    dialect: route.dialect.name,
    messages: reading?.messages ?? [],
    issuedIds: reading?.issuedIds ?? [],
  };
  const principal = gate.identity.attribute(caller, arrival, route.labels, {
    asserted: reading?.asserted ?? {},
    infer: () => (reading ? gate.runs.infer(space, conversation) : undefined),
    freshRun: () => ownRun,
  });
  return { caller, principal, space };
}
