import { isObject, type Json, member } from '../../domain/json.ts';
import type { Principal } from '../../domain/principal.ts';
import type { Arrival } from '../../ports/identity.ts';
import type { RpcMessage } from '../../ports/mcp-wire.ts';
import type { OpenSession, Visit } from './visit.ts';

/** Sessions of clients that name theirs in `_meta` (attribution.md 7); all asserted. */
const META_SESSIONS = ['threadId', 'ai.opencode/sessionID', 'antigravity.google/conversation_id'];

const metaOf = (message: RpcMessage | undefined): Json | undefined => member(message?.doc.value['params'], '_meta');

/** The id of the model's own call, where the client passes it on (Claude Code: `_meta["claudecode/toolUseId"]`). */
export function callIdOf(message: RpcMessage): string | undefined {
  const id = member(metaOf(message), 'claudecode/toolUseId');
  return typeof id === 'string' && id !== '' ? id : undefined;
}

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
  const named = META_SESSIONS.map((name) => member(meta, name)).find((id) => typeof id === 'string');
  let source = 'conversation';
  const principal = gate.identity.attribute(caller, traced(arrival, meta), address.labels, {
    asserted: typeof named === 'string' ? { session: named } : {},
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
