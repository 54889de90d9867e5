import { asString, member } from '../../domain/json.ts';
import type { McpAnswer } from '../../ports/mcp-server.ts';
import type { RpcMessage } from '../../ports/mcp-wire.ts';
import type { Leg } from './leg.ts';
import type { Reviewed } from './relay-answer.ts';
import { reviewAnswer } from './review-answer.ts';
import { reviewInstructions, reviewList } from './review-list.ts';
import { sealSession } from './session.ts';

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
  const message = reviewAnswer(seat, request, listed);
  if (request.method !== 'initialize') return { message };
  return { message, headers: sessionHeader(leg, response, answer) };
}

/** The server's session never leaves the gate; its caller gets a sealed one (mcp-plane.md 5). */
function sessionHeader({ errand }: Leg, response: RpcMessage, answer: McpAnswer): Record<string, string> {
  const upstream = answer.headers['mcp-session-id'];
  if (typeof upstream !== 'string') return {};
  const version = asString(member(response.doc.value['result'], 'protocolVersion')) ?? '';
  const run = errand.principal.run.id;
  return { 'mcp-session-id': sealSession(errand.visit, { upstream, version, run }) };
}
