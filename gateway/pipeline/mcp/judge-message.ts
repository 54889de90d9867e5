import type { Action, ToolRef } from '../../domain/action.ts';
import { canonicalExact, parseExact } from '../../domain/exact-json.ts';
import { Fault } from '../../domain/fault.ts';
import { type Json, member } from '../../domain/json.ts';
import { shapeFault } from '../../domain/json-shape.ts';
import type { Splice } from '../../domain/json-splice.ts';
import { spanOf } from '../../domain/json-text.ts';
import { RpcFault } from '../../domain/rpc-fault.ts';
import type { JudgedPart, RpcMessage } from '../../ports/mcp-wire.ts';
import { ask as askRemotes } from '../ask.ts';
import { denial } from '../decide.ts';
import type { ReplyFacts } from '../facts.ts';
import { actionIdentity } from '../identities.ts';
import { type Bench, type Judged, judge } from '../judgement.ts';
import { land, splicesAt } from '../landing.ts';
import type { Trail } from '../trail.ts';
import type { McpRoom } from './room.ts';

/** A judge's seat for one message. */
export interface Seat {
  readonly bench: Bench;
  readonly room: McpRoom;
  readonly trail: Trail;
  readonly server: string;
  /** what is known of the tool beside its name; the first judged part alone is about it */
  readonly tool?: Omit<ToolRef, 'name' | 'server'> | undefined;
  /** the call is in its run's log already: a model proposed it, or it was judged before an edit */
  readonly inLog?: boolean | undefined;
  readonly reply?: ReplyFacts | undefined;
  /** the approved definition, whose schemas an edit has to keep */
  readonly definition?: Json | undefined;
}

/** What became of a message. */
export interface Judgement {
  readonly message: RpcMessage;
  readonly edited: boolean;
}

/**
 * Judges every part of a message and lands what the verdicts change; an edited request is judged once more, and may then only pass or
 * be denied (mcp-plane.md 11). Throws a Fault (`TG_POLICY_DENIED`) for a denial and for an edit that cannot land.
 */
export async function judgeMessage(
  seat: Seat,
  message: RpcMessage,
  partsOf: (message: RpcMessage) => readonly JudgedPart[],
  bounds: McpRoom['limits']['request'],
): Promise<Judgement> {
  const heard = await hear(seat, message, partsOf(message));
  const splices = splicesOf(heard);
  if (splices.length === 0) return { message, edited: false };
  const edited = landed(seat, message, splices, bounds, heard);
  const again = partsOf(edited);
  confirm(seat, heard, again);
  keepsShape(seat, message, edited, heard);
  const strict = again.filter(({ point }) => point === 'pre_tool_call');
  const after = await hear({ ...seat, inLog: true }, edited, strict);
  if (splicesOf(after).some(changes(edited)))
    throw failed(after, 'a rule would edit the edited call again, so it is refused');
  return { message: edited, edited: true };
}

interface Heard {
  readonly part: JudgedPart;
  readonly judged: Judged;
}

async function hear(seat: Seat, message: RpcMessage, parts: readonly JudgedPart[]): Promise<Heard[]> {
  const actions = parts.map((part, i) => actionOf(seat, part, i));
  if (seat.bench.noses.asks) await askRemotes(seat.bench, actions);
  const heard = parts.map((part, i) => {
    const judged = judge(seat.bench, actions[i] as Action, {
      reply: seat.reply,
      identityTarget: exactTarget(message, part),
      inLog: seat.inLog === true || i > 0,
    });
    seat.trail.record(judged.record);
    return { part, judged };
  });
  const denied = heard.find(
    ({ judged: { verdict } }) => verdict.decision === 'deny' || verdict.decision === 'escalate',
  );
  if (denied) throw denial(denied.judged.verdict, describe(denied.part));
  return heard;
}

function actionOf({ server, tool }: Seat, part: JudgedPart, i: number): Action {
  return {
    point: part.point,
    plane: 'mcp',
    tool: { name: part.tool, server, ...(i === 0 && tool) },
    ...(part.point.endsWith('model_call') && {
      model: { provider: `mcp:${server}`, name: '', stream: false, tools: [] },
    }),
    target: part.target,
    parts: part.parts,
  };
}

function describe({ point, tool }: JudgedPart): string {
  if (point === 'post_tool_call') return `the result of \`${tool}\``;
  if (point === 'pre_model_call') return 'the model call the server asks for';
  return tool.includes('/') ? `\`${tool}\`` : `the call of tool \`${tool}\``;
}

const LONG_NUMBER = /[0-9]{16}/;

/** What enters the identity where a number no double holds is in it: the target as canonical text of its own digits. */
function exactTarget({ doc }: RpcMessage, { base }: JudgedPart): Json | undefined {
  if (base === undefined || !LONG_NUMBER.test(doc.text)) return undefined;
  const span = spanOf(doc.text, base);
  if (!span) return undefined;
  const text = doc.text.slice(span.start, span.end);
  return LONG_NUMBER.test(text) ? { exact: canonicalExact(parseExact(text)) } : undefined;
}

function splicesOf(heard: readonly Heard[]): Splice[] {
  return heard.flatMap(({ part, judged: { verdict } }) => {
    if (verdict.edits.length === 0) return [];
    if (part.base === undefined)
      throw failed(heard, 'an edit of this rule has nowhere to land, so the call is refused');
    return splicesAt(part.base, verdict.edits);
  });
}

/** True for a splice that would write what is not there yet. */
const changes =
  ({ doc }: RpcMessage) =>
  (edit: Splice): boolean => {
    const span = spanOf(doc.text, edit.at);
    return 'remove' in edit ? span !== undefined : !span || doc.text.slice(span.start, span.end) !== edit.json;
  };

function landed(
  { room, bench }: Seat,
  message: RpcMessage,
  splices: readonly Splice[],
  bounds: McpRoom['limits']['request'],
  heard: readonly Heard[],
): RpcMessage {
  try {
    return room.wire.reread(land(message.doc.text, splices), bounds);
  } catch (error) {
    if (!(error instanceof RangeError || error instanceof RpcFault)) throw error;
    bench.gate.log.warn({ error: error.message }, 'an edit could not land');
    throw failed(heard, 'an edit of this rule could not land, so the call is refused', error);
  }
}

/** An edit that breaks the schema its server declared cannot land: the server, or the client, would refuse it for another reason. */
function keepsShape({ definition }: Seat, before: RpcMessage, after: RpcMessage, heard: readonly Heard[]): void {
  if (definition === undefined) return;
  const schema = member(definition, after.kind === 'request' ? 'inputSchema' : 'outputSchema');
  const faultIn = ({ doc, kind }: RpcMessage): string | undefined => {
    const value =
      kind === 'request' ? member(doc.value['params'], 'arguments') : member(doc.value['result'], 'structuredContent');
    return value === undefined ? undefined : shapeFault(schema, value);
  };
  const at = faultIn(after);
  // what was wrong before is for its reader to say
  if (at !== undefined && faultIn(before) === undefined)
    throw failed(heard, `an edit of this rule breaks the schema of the tool at \`${at}\``);
}

/** What was enforced is what is carried: the edited message hashes to the identity the verdict promised, or the call is denied. */
function confirm({ bench, server }: Seat, heard: readonly Heard[], again: readonly JudgedPart[]): void {
  for (const [i, { part, judged }] of heard.entries()) {
    const promised = judged.record.enforced_identity;
    const now = again[i];
    if (promised === undefined) continue;
    const tool = { name: part.tool, server };
    const action = { point: part.point, plane: 'mcp' as const, tool, model: judged.action.model };
    if (now && actionIdentity(action, bench.principal, now.target) === promised) continue;
    throw failed(heard, 'the edited message is not what its verdict allowed, so the call is refused');
  }
}

function failed(heard: readonly Heard[], why: string, cause?: unknown): Fault {
  const rule = heard.find(({ judged }) => judged.verdict.edits.length > 0)?.judged.verdict.rule;
  return new Fault('TG_POLICY_DENIED', `tollgate denied the call: ${why}`, cause, {
    rule,
    reason: 'runtime_error:transform_failed',
  });
}
