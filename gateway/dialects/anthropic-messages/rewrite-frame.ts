import { asString, isObject, type Json, member } from '../../domain/json.ts';
import type { Splice } from '../../domain/json-splice.ts';
import { resolvePointer } from '../../domain/pointer.ts';
import type { Frame } from '../../ports/dialect.ts';
import { bytesOf, EventText } from './event-text.ts';
import type { StreamedBlock } from './streamed-block.ts';
import type { Piece, StreamedMessage } from './streamed-message.ts';

/** A frame with what the reader knows about it. */
export interface EventFrame extends Frame {
  readonly note: {
    readonly type: string;
    readonly message: StreamedMessage | undefined;
    readonly pieces: readonly Piece[];
    readonly blocks: readonly StreamedBlock[];
  };
}

type Texts = ReadonlyMap<string, string>;

const NOTHING = new Uint8Array(0);

/**
 * The bytes to send for a frame, given what its blocks have become. A denied call turns into a text block at the same index;
 * edited arguments go out in the call's first delta, its other deltas are left out. Throws a RangeError where a change cannot land.
 */
export function rewriteFrame(frame: EventFrame, texts: Texts): Uint8Array {
  for (const { block, at } of frame.note.pieces) {
    const text = texts.get(block.slot);
    if (text !== undefined) block.replaced(at, text);
  }
  switch (frame.note.type) {
    case 'message_start':
      return messageStart(frame, texts);
    case 'content_block_start':
      return blockStart(frame, texts);
    case 'content_block_delta':
      return blockDelta(frame, texts);
    case 'content_block_stop':
      return blockStop(frame);
    case 'message_delta':
      return spliced(frame, stopReason(frame, '/delta/stop_reason'));
    default:
      return frame.bytes;
  }
}

function spliced(frame: Frame, splices: readonly Splice[]): Uint8Array {
  return splices.length === 0 ? frame.bytes : bytesOf(new EventText(frame.bytes).edited(splices));
}

/** A message that was to end in tool calls, none of which are left, ends by itself. */
function stopReason(frame: EventFrame, at: string): Splice[] {
  const calls = frame.note.message?.calls ?? [];
  if (calls.length === 0 || calls.some(({ denied }) => denied === undefined)) return [];
  const stated = resolvePointer(new EventText(frame.bytes).value, at);
  return stated === 'tool_use' ? [{ at, json: '"end_turn"' }] : [];
}

function messageStart(frame: EventFrame, texts: Texts): Uint8Array {
  const splices = frame.note.blocks.flatMap((block): Splice[] => {
    const at = `/message/content/${block.index}`;
    if (block.denied !== undefined) return [{ at, json: JSON.stringify({ type: 'text', text: block.denied }) }];
    if (block.edited) return [{ at: `${at}/input`, json: JSON.stringify(block.edited.args) }];
    const text = frame.note.pieces.some((piece) => piece.block === block) ? texts.get(block.slot) : undefined;
    return text === undefined ? [] : [{ at: `${at}/text`, json: JSON.stringify(text) }];
  });
  return spliced(frame, [...splices, ...stopReason(frame, '/message/stop_reason')]);
}

function blockStart(frame: EventFrame, texts: Texts): Uint8Array {
  const [block] = frame.note.blocks;
  if (block?.denied !== undefined) return deniedStart(frame, block, block.denied);
  if (block?.edited && carriesInput(block))
    return spliced(frame, [{ at: '/content_block/input', json: JSON.stringify(block.edited.args) }]);
  const text = block && frame.note.pieces.length > 0 ? texts.get(block.slot) : undefined;
  return text === undefined ? frame.bytes : spliced(frame, [{ at: '/content_block/text', json: JSON.stringify(text) }]);
}

function deniedStart(frame: EventFrame, block: StreamedBlock, text: string): Uint8Array {
  const event = new EventText(frame.bytes);
  const start = event.edited([{ at: '/content_block', json: '{"type":"text","text":""}' }]);
  return bytesOf(start + event.another('content_block_delta', delta(block, { type: 'text_delta', text })));
}

function blockDelta(frame: EventFrame, texts: Texts): Uint8Array {
  const [block] = frame.note.blocks;
  if (!block) return frame.bytes;
  if (block.denied !== undefined) return NOTHING;
  if (block.edited) return editedDelta(frame, block, block.edited.args);
  const text = frame.note.pieces.length > 0 ? texts.get(block.slot) : undefined;
  if (text === undefined) return frame.bytes;
  return text === '' ? NOTHING : spliced(frame, [{ at: '/delta/text', json: JSON.stringify(text) }]);
}

function editedDelta(frame: EventFrame, block: StreamedBlock, args: Json): Uint8Array {
  const stated = member(new EventText(frame.bytes).value, 'delta');
  if (asString(member(stated, 'partial_json')) === undefined) return frame.bytes;
  if (block.delivered) return NOTHING;
  block.delivered = true;
  return spliced(frame, [{ at: '/delta/partial_json', json: JSON.stringify(JSON.stringify(args)) }]);
}

/** A call whose arguments came in no delta gets the edited ones before it ends. */
function blockStop(frame: EventFrame): Uint8Array {
  const [block] = frame.note.blocks;
  if (!block?.edited || block.denied !== undefined || block.delivered || carriesInput(block)) return frame.bytes;
  block.delivered = true;
  const partial_json = JSON.stringify(block.edited.args);
  const event = new EventText(frame.bytes).another(
    'content_block_delta',
    delta(block, { type: 'input_json_delta', partial_json }),
  );
  const both = new Uint8Array([...bytesOf(event), ...frame.bytes]);
  return both;
}

const delta = (block: StreamedBlock, content: Json): Json => ({
  type: 'content_block_delta',
  index: block.index,
  delta: content,
});

const carriesInput = ({ start }: StreamedBlock): boolean =>
  isObject(start['input']) && Object.keys(start['input']).length > 0;
