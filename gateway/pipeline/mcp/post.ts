import type { McpEra, RpcMessage } from '../../ports/mcp-wire.ts';
import { callTool, relayRequest } from './call.ts';
import { passAnswer, takePending } from './client-answer.ts';
import { errandFor } from './errand.ts';
import { federatedPost } from './federated-post.ts';
import { openRetry } from './request-state.ts';
import { legacySession } from './session.ts';
import { refuseHalted } from './start-run.ts';
import type { Visit } from './visit.ts';

/** What is known of a request while it is worked on, for whatever has to be said about it. */
export interface Progress {
  message: RpcMessage | undefined;
  era: McpEra;
}

/** One message of a caller: size → UTF-8 → strict JSON → shape → era → headers against body → pin → verdict (mcp-plane.md 3). */
export async function post(visit: Visit, body: Uint8Array, progress: Progress): Promise<void> {
  const { room, arrival } = visit;
  room.wire.checkMedia(arrival.headers);
  const message = room.wire.read(body, room.limits.request);
  progress.message = message;
  progress.era = room.wire.eraOf(message, arrival.headers);
  if (visit.address.server === undefined) return federatedPost(visit, message, progress.era);
  const session = progress.era === 'legacy' ? legacySession(visit) : undefined;
  const server = visit.address.server ?? '';
  const retry = progress.era === 'modern' ? openRetry(visit, server, message) : undefined;
  const errand = errandFor(visit, message, session, retry?.lineage.run);
  refuseHalted(visit, errand.principal);
  if (message.kind === 'response') return passAnswer(errand, message, takePending(visit, session?.handle, message));
  const ask = { errand, message, era: progress.era, retry };
  const isJudged = message.kind === 'request' && room.wire.asked(message).length > 0;
  await (isJudged ? callTool(ask) : relayRequest(ask));
}
