import { Fault } from '../../domain/fault.ts';
import type { McpAnswer } from '../../ports/mcp-server.ts';
import type { McpEra, RpcMessage } from '../../ports/mcp-wire.ts';
import { type HaltWatch, haltText } from '../halting.ts';
import { headersForServer } from './headers.ts';
import type { Seat } from './judge-message.ts';
import type { Lineage } from './request-state.ts';
import { callerOf, type Errand } from './visit.ts';

/** One request of a caller on its way to a server and back. */
export interface Leg {
  readonly errand: Errand;
  readonly seat: Seat;
  /** the request that waits for its answer; undefined: a notification, an answer, or a stream that is only listened to */
  readonly request: RpcMessage | undefined;
  readonly era: McpEra;
  readonly signal: AbortSignal;
  /** its price counts something in its result */
  readonly countsResult?: boolean | undefined;
  /** where the request goes on from, where an earlier one asked for input */
  readonly lineage?: Lineage | undefined;
  /** the request as its caller wrote it */
  readonly original?: RpcMessage | undefined;
}

/** Ends a leg when its caller leaves or its run is halted. */
export interface LegWatch {
  readonly signal: AbortSignal;
  readonly halt: HaltWatch;
  close(): void;
}

export function watchLeg({ visit: { gate, reply, space }, principal }: Errand): LegWatch {
  const controller = new AbortController();
  const onGone = (): void => controller.abort(reply.gone.reason);
  if (reply.gone.aborted) onGone();
  else reply.gone.addEventListener('abort', onGone, { once: true });
  const halt = gate.halting.watch(
    () => gate.runs.halted(space, principal.run.id, principal.agent.id, principal.human?.id),
    () => controller.abort(),
  );
  return {
    signal: controller.signal,
    halt,
    close() {
      reply.gone.removeEventListener('abort', onGone);
      halt.close();
    },
  };
}

/** What a halted caller is told. */
export const haltFault = (what: NonNullable<HaltWatch['what']>): Fault =>
  new Fault('TG_POLICY_DENIED', haltText(what), undefined, { rule: `halt/${what}`, reason: 'halted' });

/** Sends a leg's message. Throws a Fault for what the transport does, and for a server that refuses our credential. */
export async function send(
  { errand, signal }: Pick<Leg, 'errand' | 'signal'>,
  method: 'POST' | 'GET' | 'DELETE',
  body: Uint8Array | undefined,
  changes: Readonly<Record<string, string>> = {},
): Promise<McpAnswer> {
  const { visit, peer, session } = errand;
  const answer = await peer.server.exchange({
    method,
    headers: headersForServer(visit.arrival.headers, session, changes),
    body,
    caller: callerOf(visit),
    signal,
  });
  if (answer.status === 401 || answer.status === 403) {
    await drop(answer);
    throw new Fault(
      'TG_UPSTREAM_AUTH',
      `the MCP server \`${peer.server.name}\` refused the gate's own credential (${answer.status}); tell the operator of the gate`,
    );
  }
  if (answer.status >= 300 && answer.status < 400) {
    await drop(answer);
    throw new Fault(
      'TG_UPSTREAM_BROKE',
      `the MCP server \`${peer.server.name}\` answered with a redirect, which is never followed`,
    );
  }
  return answer;
}

/** Leaves a body unread. */
export async function drop(answer: McpAnswer): Promise<void> {
  await answer.body[Symbol.asyncIterator]().return?.();
}
