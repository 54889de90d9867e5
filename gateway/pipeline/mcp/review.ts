import { asString, member } from '../../domain/json.ts';
import type { McpAnswer } from '../../ports/mcp-server.ts';
import type { RpcMessage } from '../../ports/mcp-wire.ts';
import type { Leg } from './leg.ts';
import type { Reviewed } from './relayed.ts';
import { requestDigest, resultTypeOf, sealState } from './request-state.ts';
import { reviewAnswer } from './review-answer.ts';
import { reviewInstructions, reviewList } from './review-list.ts';
import { sealSession } from './session.ts';
import { callBehind, ownTasks } from './tasks.ts';

/** Where a server says what it is and how it wants to be used. */
const INTRODUCTIONS = new Set(['initialize', 'server/discover']);

/** Reviews an answer to a leg's request: pins, lists, verdicts. Throws a Fault where it is withheld. */
export async function review(
  leg: Leg,
  request: RpcMessage | undefined,
  response: RpcMessage,
  answer: McpAnswer,
): Promise<Reviewed> {
  const { seat } = leg;
  if (!request) return { message: response };
  const listed = INTRODUCTIONS.has(request.method)
    ? await reviewInstructions(leg, response)
    : await reviewList(leg, request, response);
  const own = ownTasks(leg, request, listed);
  const message = lineageSealed(leg, request, await reviewAnswer(seat, callBehind(leg, request), own));
  if (request.method !== 'initialize') return { message };
  return { message, headers: sessionHeader(leg, response, answer) };
}

/** A modern result that asks for input carries the gate's own state, which holds the server's (SEP-2322). */
function lineageSealed(leg: Leg, request: RpcMessage, response: RpcMessage): RpcMessage {
  if (leg.era === 'legacy' || resultTypeOf(request, response) !== 'input_required') return response;
  const { visit, principal, peer } = leg.errand;
  const { id, step } = visit.trail;
  const lineage = leg.lineage ?? { call: id, run: principal.run.id, step, round: 1 };
  return sealState(visit, peer.server.name, lineage, requestDigest(leg.original ?? request), response);
}

/** The server's session never leaves the gate; its caller gets a sealed one (mcp-plane.md 5). */
function sessionHeader({ errand }: Leg, response: RpcMessage, answer: McpAnswer): Record<string, string> {
  const upstream = answer.headers['mcp-session-id'];
  if (typeof upstream !== 'string') return {};
  const version = asString(member(response.doc.value['result'], 'protocolVersion')) ?? '';
  const run = errand.principal.run.id;
  return { 'mcp-session-id': sealSession(errand.visit, { upstream, version, run }) };
}
