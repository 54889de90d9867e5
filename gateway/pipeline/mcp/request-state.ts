import { hash } from 'node:crypto';
import { canonicalExact, type ExactJson, isExactObject, parseExact } from '../../domain/exact-json.ts';
import { asCount, asString, isObject, type Json, member } from '../../domain/json.ts';
import { type Splice, splice } from '../../domain/json-splice.ts';
import { parseStrict } from '../../domain/json-text.ts';
import { RPC, RpcFault } from '../../domain/rpc-fault.ts';
import { epochMs } from '../../domain/scalars.ts';
import type { RpcMessage } from '../../ports/mcp-wire.ts';
import type { Visit } from './visit.ts';

/** One logical call over all its rounds (SEP-2322): one step and one charge. */
export interface Lineage {
  /** the receipt of its first leg, which is what was charged */
  readonly call: string;
  readonly run: string;
  readonly step: number;
  /** 1 for the first leg */
  readonly round: number;
}

/** A retry as its server has to see it, and what it goes on from. */
export interface Retry {
  readonly message: RpcMessage;
  readonly lineage: Lineage;
}

/** Methods whose result may ask for input (mcp-plane.md 4). */
export const MAY_ASK = new Set(['tools/call', 'prompts/get', 'resources/read']);

const NOT_IDENTITY = new Set(['inputResponses', 'requestState', '_meta']);

/** SHA-256 of what is asked for: the same for every round, whatever was answered meanwhile. */
export function requestDigest(message: RpcMessage): string {
  const whole = parseExact(message.doc.text);
  const params: ExactJson | undefined = isExactObject(whole) ? whole['params'] : undefined;
  const kept = isExactObject(params)
    ? Object.fromEntries(Object.entries(params).filter(([name]) => !NOT_IDENTITY.has(name)))
    : {};
  return hash('sha256', `${message.method}\n${canonicalExact(kept)}`, 'base64url');
}

const refused = (): RpcFault =>
  new RpcFault(
    RPC.invalidParams,
    '`requestState` is not one that this gate gave you for this call, or it has expired; call again without it',
  );

/** Reads the state a request carries; undefined: it carries none. Throws an RpcFault (-32602) for one that is not this caller's, for this call. */
export function openRetry(visit: Visit, server: string, message: RpcMessage): Retry | undefined {
  const token = member(message.doc.value['params'], 'requestState');
  if (token === undefined || !MAY_ASK.has(message.method)) return undefined;
  if (typeof token !== 'string') throw refused();
  const { room, gate, principalId } = visit;
  const sealed = room.sealer.open('state', principalId, server, token, gate.clock.now());
  if (sealed === undefined) throw refused();
  const { value } = parseStrict(sealed);
  const lineage = lineageOf(value);
  if (!lineage || asString(member(value, 'd')) !== requestDigest(message)) throw refused();
  if (lineage.round > room.limits.rounds)
    throw new RpcFault(
      RPC.invalidParams,
      `this call asked for input ${room.limits.rounds} times, which is the most it may; begin a new one`,
    );
  const upstream = member(value, 's');
  const edit: Splice =
    upstream === undefined
      ? { at: '/params/requestState', remove: true }
      : { at: '/params/requestState', json: JSON.stringify(upstream) };
  return { message: room.wire.reread(splice(message.doc.text, edit), room.limits.request), lineage };
}

function lineageOf(value: Json): Lineage | undefined {
  const call = asString(member(value, 'c'));
  const run = asString(member(value, 'r'));
  const step = asCount(member(value, 'p'));
  const round = asCount(member(value, 'n'));
  return call === undefined || run === undefined || step === undefined || round === undefined
    ? undefined
    : { call, run, step, round };
}

/** The answer that asks for input, with the server's state inside ours. */
export function sealState(
  { room, gate, principalId }: Visit,
  server: string,
  lineage: Lineage,
  digest: string,
  response: RpcMessage,
): RpcMessage {
  const upstream = member(response.doc.value['result'], 'requestState');
  const { call, run, step, round } = lineage;
  const value = JSON.stringify({
    c: call,
    r: run,
    p: step,
    n: round + 1,
    d: digest,
    ...(upstream !== undefined && { s: upstream }),
  });
  const until = epochMs(gate.clock.now() + room.limits.sessionMs);
  const json = JSON.stringify(room.sealer.seal('state', principalId, server, value, until));
  return room.wire.reread(splice(response.doc.text, { at: '/result/requestState', json }), room.limits.message);
}

/** What a result says it is; absent means complete. Throws where the client cannot know what it says (mcp-plane.md 4). */
export function resultTypeOf(request: RpcMessage, response: RpcMessage): string {
  const type = member(response.doc.value['result'], 'resultType') ?? 'complete';
  if (type === 'complete') return type;
  if (type === 'input_required' && MAY_ASK.has(request.method)) return type;
  if (type === 'task' && declaresTasks(request)) return type;
  throw new RpcFault(RPC.internal, 'the server answered with a kind of result that this request does not allow', {
    code: 'TG_UPSTREAM_UNREADABLE',
  });
}

const CAPABILITIES = 'io.modelcontextprotocol/clientCapabilities';
const TASKS = 'io.modelcontextprotocol/tasks';

function declaresTasks({ doc }: RpcMessage): boolean {
  const capabilities = member(member(member(doc.value['params'], '_meta'), CAPABILITIES), 'extensions');
  return isObject(capabilities) && Object.hasOwn(capabilities, TASKS);
}
