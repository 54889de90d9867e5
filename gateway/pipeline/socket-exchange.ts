import { Fault } from '../domain/fault.ts';
import { nano } from '../domain/scalars.ts';
import type { Arrival } from '../ports/identity.ts';
import type { SocketEnd, UpstreamSockets } from '../ports/socket.ts';
import type { UpstreamReply } from '../ports/upstream.ts';
import { accountsOf } from './accounts.ts';
import { claimSocket, tongueFor } from './claim.ts';
import { begin, seal } from './conclude.ts';
import { denyCall } from './denied-call.ts';
import type { Noses } from './detect.ts';
import type { Gateway } from './gateway.ts';
import { type HaltWatch, haltText } from './halting.ts';
import { withoutQueryCredential } from './query-credential.ts';
import type { Reply } from './reply.ts';
import { gateHeaders, refuse, sayRefusal } from './say.ts';
import { sayingOf } from './socket-cut.ts';
import { type Line, type Speaker, speakerOf, trailOf } from './socket-line.ts';
import { readProtocols } from './socket-protocols.ts';
import { SocketRelay } from './socket-relay.ts';
import { GOING } from './socket-stop.ts';
import { Trail } from './trail.ts';

/** A caller who wants a WebSocket, as the server hands it over. */
export interface Upgrade {
  readonly arrival: Arrival;
  /** the way back while it is no socket yet */
  readonly reply: Reply;
  /** Makes it a socket. Rejects where the caller has gone. */
  accept(terms: {
    readonly protocol: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly maxBytes: number;
  }): Promise<SocketEnd>;
  /** aborted when no new call may begin here */
  readonly draining: AbortSignal;
  /** aborted when there is no time left */
  readonly closing: AbortSignal;
}

export interface SocketHouse {
  /** the gate in force */
  readonly gate: () => Gateway;
  readonly noses: Noses;
  readonly sockets: UpstreamSockets;
}

/** A client that takes nothing gets this long to hear that it was halted. */
const HALT_GRACE_MS = 400;

/**
 * One WebSocket, in order: claim → identify → begin → connect → accept → relay → seal. The socket has a receipt of its own, free of
 * charge; each response on it is a call with another. Never throws for anything a caller or a provider does.
 */
export async function carrySocket(house: SocketHouse, upgrade: Upgrade): Promise<void> {
  const gate = house.gate();
  const { reply } = upgrade;
  let trail: Trail | undefined;
  let tongue = tongueFor(gate, upgrade.arrival.url);
  try {
    const found = claimSocket(gate, upgrade.arrival.url);
    tongue = found.tongue;
    const { arrival, protocols } = readProtocols(
      withoutQueryCredential(upgrade.arrival, found.tongue),
      found.dialect.socket.credentialProtocol,
    );
    const route = claimSocket(gate, arrival.url);
    const session = route.dialect.socket.open(route.upstreamPath);
    trail = trailOf({ route }, gate, session.model);
    const ownRun = gate.ids.run();
    const opener = await speakerOf(gate, { arrival, route, ownRun });
    const line: Line = {
      gate: house.gate,
      noses: house.noses,
      arrival,
      route,
      session,
      ownRun,
      opener,
      speakers: new Map([['', opener]]),
      heard: [],
    };
    await admit(gate, trail, line);
    await carried(house, trail, line, upgrade, protocols);
  } catch (error) {
    trail ??= new Trail(gate);
    refuse(trail, error);
    sayRefusal(gate, trail, tongue, reply, error);
  } finally {
    if (trail) await seal(gate, trail);
  }
}

/** Lets in who is not halted and has something left; its write-ahead line comes before the provider hears of it. */
async function admit(gate: Gateway, trail: Trail, { opener, session, route }: Line): Promise<void> {
  const { principal, space } = opener;
  trail.principal = principal;
  const model = { provider: route.destination.prices, name: session.model, stream: true, tools: [] };
  const stopped = gate.runs.halted(space, principal.run.id, principal.agent.id, principal.human?.id);
  if (stopped) {
    const halt = { rule: `halt/${stopped}`, reason: 'halted', message: haltText(stopped) };
    throw denyCall(trail, principal, model, { code: 'TG_POLICY_DENIED', ...halt });
  }
  const accounts = accountsOf(gate.budgets, principal, trail.at, { model: session.model });
  const balances = accounts.length === 0 ? [] : await gate.ledger.balances(accounts);
  const spent = balances.find(({ account, spent }) => spent >= account.limit)?.account;
  if (spent)
    throw denyCall(trail, principal, model, {
      code: 'TG_BUDGET_EXCEEDED',
      rule: `budget/${spent.scope}`,
      reason: 'budget_exceeded',
      message: `tollgate denied the socket: the ${spent.scope} budget (${spent.window}) is spent; stop here, or have the limit raised`,
    });
  await begin(gate, trail, principal, { amount: nano(0n), accounts: [], balances: [] });
}

async function carried(
  { sockets }: SocketHouse,
  trail: Trail,
  line: Line,
  upgrade: Upgrade,
  protocols: readonly string[],
): Promise<void> {
  const gate = line.gate();
  const { reply } = upgrade;
  const { destination, upstreamPath: path } = line.route;
  const answer = await sockets.connect({
    origin: destination.origin,
    path,
    headers: line.arrival.headers,
    drop: droppedHeaders(line.opener, line),
    credential: destination.credential,
    protocols,
    maxBytes: gate.limits.replyBytes,
    signal: reply.gone,
  });
  if (!answer.open) return refusedBy(answer.reply, trail, reply);
  const upstream = answer.open;
  const headers = gateHeaders(trail);
  const client = await upgrade
    .accept({ protocol: answer.protocol, headers, maxBytes: gate.limits.requestBytes })
    .catch((error: unknown) => {
      upstream.cut();
      throw new Fault('TG_BAD_REQUEST', 'the caller left before its socket was open', error);
    });
  trail.status = 101;
  const relay = new SocketRelay(line, client, upstream);
  const halt = watchHalts(line, relay);
  const onDrain = (): void => relay.drain();
  const onClose = (): void => relay.stop(GOING);
  upgrade.draining.addEventListener('abort', onDrain, { once: true });
  upgrade.closing.addEventListener('abort', onClose, { once: true });
  if (upgrade.draining.aborted) onDrain();
  try {
    const { ending, code } = await relay.run();
    trail.ending = code === 1000 || code === 1001 ? (ending === 'cut' ? 'cut' : 'completed') : ending;
    trail.note(`a socket, closed with ${code}`);
    for (const action of line.heard.splice(0)) trail.record(action);
  } finally {
    halt.close();
    upgrade.draining.removeEventListener('abort', onDrain);
    upgrade.closing.removeEventListener('abort', onClose);
  }
}

function watchHalts({ gate, speakers }: Line, relay: SocketRelay): HaltWatch {
  const { halting, runs } = gate();
  const watch: HaltWatch = halting.watch(
    () => {
      for (const { principal, space } of speakers.values()) {
        const what = runs.halted(space, principal.run.id, principal.agent.id, principal.human?.id);
        if (what) return what;
      }
      return undefined;
    },
    () => queueMicrotask(() => cut()),
  );
  const cut = (): void => {
    const what = watch.what ?? 'run';
    const fault = new Fault('TG_POLICY_DENIED', haltText(what), undefined, { rule: `halt/${what}`, reason: 'halted' });
    const stop = { ending: 'cut' as const, code: 1008, reason: `tollgate halted this ${what}` };
    relay.stop({ ...stop, saying: sayingOf(gate(), fault) }, HALT_GRACE_MS);
  };
  return watch;
}

/** The provider's own answer to the handshake, as it is; it costs nothing. */
async function refusedBy(answer: UpstreamReply, trail: Trail, reply: Reply): Promise<void> {
  trail.status = answer.status;
  trail.ending = 'upstream_error';
  reply.head(answer.status, { ...answer.headers, ...gateHeaders(trail), connection: 'close' });
  for await (const chunk of answer.body) {
    if (reply.gone.aborted) break;
    await reply.write(chunk);
  }
  reply.end();
}

/** The caller's credential does not travel on where the gate has its own; without one of its own a gateway key opens nothing. */
function droppedHeaders({ caller }: Speaker, { route: { destination, tongue } }: Line): string[] {
  if (caller.ownsGatewayKey && !destination.credential)
    throw new Fault(
      'TG_UPSTREAM_UNREACHABLE',
      `upstream \`${destination.name}\` has no credential in the configuration to swap a gateway key for; add \`credential:\` to it`,
    );
  const replaces = caller.ownsGatewayKey || destination.credential !== undefined;
  return replaces ? [...tongue.credentialHeaders, 'authorization', 'x-tollgate-key'] : ['x-tollgate-key'];
}
