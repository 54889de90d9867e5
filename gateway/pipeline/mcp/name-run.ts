import { isObject, type Json, member } from '../../domain/json.ts';
import type { Principal } from '../../domain/principal.ts';
import type { Arrival } from '../../ports/identity.ts';
import type { RpcMessage } from '../../ports/mcp-wire.ts';
import type { OpenSession, Visit } from './visit.ts';

const metaOf = (message: RpcMessage | undefined): Json | undefined => member(message?.doc.value['params'], '_meta');

/** The id of the model's own call, where the client passes it on in `_meta`. */
export const callIdOf = ({ gate }: Visit, message: RpcMessage): string | undefined =>
  gate.identity.metaNames(metaOf(message)).callId;

/**
 * Names whoever acts. The run: path, header, trace or a session that `_meta` names; else where a model proposed this very call; else
 * the legacy session's; else the one this caller is in.
 */
export function nameRun(
  { gate, room, caller, arrival, address, principalId }: Visit,
  message: RpcMessage | undefined,
  session: OpenSession | undefined,
  proposed: string | undefined,
): Principal {
  const meta = metaOf(message);
  const { session: named } = gate.identity.metaNames(meta);
  let source = 'conversation';
  const principal = gate.identity.attribute(caller, traced(arrival, meta), address.labels, {
    asserted: named === undefined ? {} : { session: named },
    infer() {
      if (proposed !== undefined) source = 'proposal';
      else source = session ? 'mcp-session' : 'mcp-caller';
      if (message?.method === 'initialize') return gate.ids.run();
      return proposed ?? session?.run ?? room.idleRuns.of(principalId, gate.clock.now(), () => gate.ids.run());
    },
    freshRun: () => gate.ids.run(),
  });
  return principal.run.source === 'conversation' ? { ...principal, run: { ...principal.run, source } } : principal;
}

/** `_meta.traceparent` (SEP-414) wins over the header. */
function traced(arrival: Arrival, meta: Json | undefined): Arrival {
  const traceparent = isObject(meta) ? meta['traceparent'] : undefined;
  return typeof traceparent === 'string' ? { ...arrival, headers: { ...arrival.headers, traceparent } } : arrival;
}
