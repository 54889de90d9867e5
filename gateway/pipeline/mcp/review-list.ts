import { asString, member } from '../../domain/json.ts';
import { type Splice, spliceAll } from '../../domain/json-splice.ts';
import { spanOf } from '../../domain/json-text.ts';
import type { McpEra, RpcMessage } from '../../ports/mcp-wire.ts';
import type { Definition, PinKind, Standing } from '../../ports/pins.ts';
import { claimsOf } from '../trust/tool-claims.ts';
import type { Leg } from './leg.ts';
import { definitionsIn, isWhole, listOf } from './lists.ts';
import { whyNever } from './may-use.ts';

/**
 * Leaves out of a list what this caller may not use: what nobody approved, and what the policy denies whatever its arguments
 * (mcp-plane.md 8). Order and bytes of the rest stay. Throws a Fault where the pins cannot be read.
 */
export async function reviewList(leg: Leg, request: RpcMessage, response: RpcMessage): Promise<RpcMessage> {
  const list = listOf(request.method);
  if (list?.pinned === undefined || response.doc.value['result'] === undefined) return response;
  const pinned = { ...list, pinned: list.pinned };
  const definitions = definitionsIn(response, pinned);
  const standings = await pin(leg, pinned.pinned, definitions, isWhole(request, response));
  const hidden = definitions.flatMap((definition, i) =>
    mayUse(leg, definition, standings[i]) ? [] : [`/result/${list.member}/${i}`],
  );
  if (hidden.length === 0) return response;
  leg.errand.visit.trail.note(`${hidden.length} of ${definitions.length} hidden in \`${request.method}\``);
  return cut(leg, response, hidden);
}

function pin(
  { seat, errand: { visit } }: Leg,
  kind: PinKind,
  definitions: readonly Definition[],
  whole: boolean,
): Promise<readonly Standing[]> {
  return visit.room.pins.review({ server: seat.server, kind, definitions, whole, at: visit.gate.clock.now() });
}

function mayUse({ seat }: Leg, { kind, name }: Definition, standing: Standing | undefined): boolean {
  if (standing?.state !== 'approved') return false;
  return !whyNever(seat, kind === 'prompt' ? 'prompts/get' : name, claimsOf(standing.definition));
}

function cut(leg: Leg, response: RpcMessage, hidden: readonly string[]): RpcMessage {
  const { room } = leg.seat;
  const removals: Splice[] = hidden.toReversed().map((at) => ({ at, remove: true }));
  const text = spliceAll(response.doc.text, [...removals, ...privately(leg.era, response)]);
  return room.wire.reread(text, room.limits.message);
}

/** A list that was filtered for one caller is nobody else's, and may change with the next approval (SEP-2549). */
function privately(era: McpEra, { doc }: RpcMessage): Splice[] {
  if (era === 'legacy') return [];
  const result = doc.value['result'];
  return [
    ...(member(result, 'cacheScope') === 'private' ? [] : [{ at: '/result/cacheScope', json: '"private"' }]),
    ...(member(result, 'ttlMs') === 0 ? [] : [{ at: '/result/ttlMs', json: '0' }]),
  ];
}

/** Instructions speak to the model: they are pinned like a tool and left out until somebody approved them. */
export async function reviewInstructions(leg: Leg, response: RpcMessage): Promise<RpcMessage> {
  const value = asString(member(response.doc.value['result'], 'instructions'));
  const span = value === undefined ? undefined : spanOf(response.doc.text, '/result/instructions');
  if (value === undefined || value === '' || !span) return response;
  const doc = { text: response.doc.text.slice(span.start, span.end), value };
  const [standing] = await pin(leg, 'instructions', [{ kind: 'instructions', name: '', doc }], true);
  if (standing?.state === 'approved') return response;
  leg.errand.visit.trail.note('the instructions of the server are left out until somebody approves them');
  return cut(leg, response, ['/result/instructions']);
}
