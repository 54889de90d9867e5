import { Fault } from '../../domain/fault.ts';
import { asString, isObject, type Json, type JsonObject, type JsonText, member } from '../../domain/json.ts';
import { type Splice, spliceAll } from '../../domain/json-splice.ts';
import { JsonFault, parseStrict } from '../../domain/json-text.ts';
import { resolvePointer } from '../../domain/pointer.ts';
import type { ProposedCall, Reading, ReplyChanges, ReplyReading } from '../../ports/dialect.ts';
import { denseBytes, leastTokens } from '../_shared/least-tokens.ts';
import { stringParts } from '../_shared/string-parts.ts';
import { blockParts, blocksOf, type PlacedBlock } from './content.ts';
import { itemsOf, markOf } from './mark.ts';
import { converseUsage, invokedModel } from './usage.ts';

const CONTENT = '/output/message/content';

/** Slots name the block a call stands in. */
export const slotOf = (index: number): string => `block/${index}`;

/** The call in a `toolUse`; `raw` is its arguments' text where it came in pieces. */
export function proposedCall(slot: string, use: JsonObject, raw: string | undefined): ProposedCall {
  const { args, malformed } = raw === undefined ? whole(use['input']) : parsed(raw);
  return {
    slot,
    callId: asString(use['toolUseId']) ?? '',
    tool: asString(use['name']) ?? '',
    args,
    parts: stringParts(args),
    malformed,
  };
}

type Arguments = Pick<ProposedCall, 'args' | 'malformed'>;

const whole = (input: Json | undefined): Arguments =>
  input === undefined || input === null
    ? { args: {}, malformed: false }
    : isObject(input)
      ? { args: input, malformed: false }
      : { args: JSON.stringify(input), malformed: true };

function parsed(raw: string): Arguments {
  if (raw.trim() === '') return { args: {}, malformed: false };
  try {
    const { value } = parseStrict(raw);
    return isObject(value) ? { args: value, malformed: false } : { args: raw, malformed: true };
  } catch (error) {
    if (error instanceof JsonFault) return { args: raw, malformed: true };
    throw error;
  }
}

interface PlacedCall {
  readonly index: number;
  readonly use: JsonObject;
  /** the provider ran it itself */
  readonly served: boolean;
}

function messageBlocks({ value }: JsonText): PlacedBlock[] {
  const message = member(member(value, 'output'), 'message');
  if (!isObject(message))
    throw new Fault(
      'TG_UPSTREAM_UNREADABLE',
      'the upstream answered with something that is no Converse reply: it has no `output`',
    );
  return blocksOf(message['content'], CONTENT);
}

const callsOf = (blocks: readonly PlacedBlock[]): PlacedCall[] =>
  blocks
    .flatMap(({ at, block }): PlacedCall[] => {
      const use = block['toolUse'];
      const index = Number(at.slice(CONTENT.length + 1));
      return isObject(use) ? [{ index, use, served: use['type'] === 'server_tool_use' }] : [];
    })
    .filter(({ served }) => !served);

/** Arguments are judged with their call; reasoning is signed as a whole and passes as it is. */
const isSaid = ({ block }: PlacedBlock): boolean =>
  block['toolUse'] === undefined && block['reasoningContent'] === undefined;

/** Reads a complete reply. Throws a Fault (`TG_UPSTREAM_UNREADABLE`) where it is no Converse reply. */
export function readReply(doc: JsonText, reading?: Reading): ReplyReading {
  const blocks = messageBlocks(doc);
  const parts = blocks.flatMap((placed) => (isSaid(placed) ? blockParts(placed) : []));
  const calls = callsOf(blocks);
  const written = blocks.flatMap(blockParts).reduce((sum, { text }) => sum + denseBytes(text), 0);
  return {
    usage: converseUsage(doc.value, reading, leastTokens(written)),
    servedModel: invokedModel(doc.value),
    calls: calls.map(({ index, use }) => proposedCall(slotOf(index), use, undefined)),
    parts,
    text: blocks.map(({ block }) => asString(block['text']) ?? '').join(''),
    issuedIds: calls.flatMap(({ use }) => (typeof use['toolUseId'] === 'string' ? [use['toolUseId']] : [])),
    mark: markOf('assistant', itemsOf(blocks)),
  };
}

/** The reply with the changes made. Throws a RangeError where one has nowhere to land. */
export function editReply(doc: JsonText, changes: ReplyChanges): string {
  const calls = callsOf(messageBlocks(doc));
  const slots = new Map(calls.map(({ index }) => [slotOf(index), index]));
  const place = (slot: string): string => {
    const index = slots.get(slot);
    if (index === undefined) throw new RangeError(`the reply has no tool call \`${slot}\``);
    return `${CONTENT}/${index}`;
  };
  const splices: Splice[] = [];
  for (const edit of changes.texts) {
    if (edit.op === 'set' && resolvePointer(doc.value, edit.at) === undefined)
      throw new RangeError(`nothing stands at \`${edit.at}\``);
    splices.push(edit.op === 'set' ? { at: edit.at, json: JSON.stringify(edit.value) } : { at: edit.at, remove: true });
  }
  for (const [slot, args] of changes.edited)
    splices.push({ at: `${place(slot)}/toolUse/input`, json: JSON.stringify(args) });
  for (const [slot, text] of changes.denied) splices.push({ at: place(slot), json: JSON.stringify({ text }) });
  const left = [...slots.keys()].some((slot) => !changes.denied.has(slot));
  if (changes.denied.size > 0 && !left && member(doc.value, 'stopReason') === 'tool_use')
    splices.push({ at: '/stopReason', json: '"end_turn"' });
  return spliceAll(doc.text, splices);
}
