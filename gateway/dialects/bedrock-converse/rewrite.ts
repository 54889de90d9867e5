import { isObject, type Json, type JsonObject, member } from '../../domain/json.ts';
import { spliceAll } from '../../domain/json-splice.ts';
import type { Frame } from '../../ports/dialect.ts';
import { eventMessage, headerBytes } from '../_shared/event-stream.ts';
import { type Block, isCall } from './block.ts';
import { slotOf } from './reply.ts';

type Kind = 'start' | 'delta' | 'stop' | 'end';

/** An event, read, for as long as somebody holds its frame. */
export interface Contents {
  readonly kind: Kind;
  readonly text: string;
  readonly headers: Uint8Array;
  readonly block: Block | undefined;
  /** where its text stands in `block.said` */
  readonly piece: number | undefined;
}

const encoder = new TextEncoder();
const NOTHING = new Uint8Array(0);
const DELTA = headerBytes({
  ':event-type': 'contentBlockDelta',
  ':content-type': 'application/json',
  ':message-type': 'event',
});

const madeDelta = (headers: Uint8Array, contentBlockIndex: number, delta: Json): Uint8Array =>
  eventMessage(headers, encoder.encode(JSON.stringify({ contentBlockIndex, delta })));

/** A denied call turns into text at the same index; edited arguments go out whole, in the call's first delta. */
export function rewriteCall(
  frame: Frame,
  { kind, headers, text }: Contents,
  block: Block,
  denial: string | undefined,
  args: Json | undefined,
): Uint8Array {
  const first = !block.placed;
  const delta = (piece: Json): Uint8Array => madeDelta(kind === 'delta' ? headers : DELTA, block.index, piece);
  if (denial !== undefined) {
    block.placed = true;
    const said = first ? delta({ text: denial }) : NOTHING;
    return kind === 'stop' ? joined(said, frame.bytes) : said;
  }
  if (args === undefined || kind === 'start') return frame.bytes;
  block.placed = true;
  const whole = JSON.stringify(JSON.stringify(args));
  if (kind === 'stop')
    return first ? joined(delta({ toolUse: { input: JSON.stringify(args) } }), frame.bytes) : frame.bytes;
  return first
    ? eventMessage(headers, encoder.encode(spliceAll(text, [{ at: '/delta/toolUse/input', json: whole }])))
    : NOTHING;
}

/** A message that was to end in tool calls, none of which are left, ends by itself. */
export function rewriteEnd(
  frame: Frame,
  { text, headers }: Contents,
  blocks: readonly Block[],
  denied: ReadonlyMap<string, string>,
): Uint8Array {
  const calls = blocks.filter(({ use }) => isCall(use));
  if (calls.length === 0 || calls.some(({ index }) => !denied.has(slotOf(index)))) return frame.bytes;
  if (member(parsedEvent(text), 'stopReason') !== 'tool_use') return frame.bytes;
  return eventMessage(headers, encoder.encode(spliceAll(text, [{ at: '/stopReason', json: '"end_turn"' }])));
}

/** A delta with the text that took its place; none where nothing is left of it. */
export function rewriteText(
  frame: Frame,
  { piece, text, headers }: Contents,
  block: Block,
  texts: ReadonlyMap<string, string>,
): Uint8Array {
  const next = piece === undefined ? undefined : texts.get(slotOf(block.index));
  if (piece === undefined || next === undefined) return frame.bytes;
  block.said[piece] = next;
  if (next === '') return NOTHING;
  return eventMessage(headers, encoder.encode(spliceAll(text, [{ at: '/delta/text', json: JSON.stringify(next) }])));
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

/** The payload of an event; an empty object where it is none. */
export function parsedEvent(text: string): JsonObject {
  try {
    const value = JSON.parse(text) as Json;
    return isObject(value) ? value : {};
  } catch (error) {
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}
