import { asString, isArray, isObject, type Json, type JsonObject, member } from '../../domain/json.ts';
import { type Splice, spliceAll } from '../../domain/json-splice.ts';
import type { Frame, FrameChanges, Reading } from '../../ports/dialect.ts';
import { ResponseSocketReader } from '../openai-responses/socket-reader.ts';

const ENDINGS: Readonly<Record<string, string>> = {
  incomplete: 'response.incomplete',
  failed: 'response.failed',
};

/** The usage of a realtime response under the names that responses have for the same counts. */
const usageOf = (usage: JsonObject): JsonObject => ({
  ...usage,
  input_tokens_details: usage['input_token_details'] ?? null,
  output_tokens_details: usage['output_token_details'] ?? null,
});

/** What makes a realtime event the event of a response stream; none for most of them. */
function splicesFor(body: JsonObject, known: (id: string) => boolean): Splice[] {
  const type = asString(body['type']) ?? '';
  if (type === 'response.done') {
    const response = body['response'];
    const status = asString(member(response, 'status')) ?? '';
    const usage = member(response, 'usage');
    return [
      { at: '/type', json: JSON.stringify(ENDINGS[status] ?? 'response.completed') },
      ...(isObject(usage) ? [{ at: '/response/usage', json: JSON.stringify(usageOf(usage)) }] : []),
    ];
  }
  const item = body['item'];
  if (!type.startsWith('conversation.item.') || !isObject(item)) return [];
  const id = asString(item['id']) ?? '';
  // an item that begins is said twice, and has nothing in it yet; one with something in it is read as a whole one
  const empty = !(isArray(item['content']) && item['content'].length > 0) && (asString(item['arguments']) ?? '') === '';
  if (known(id) && empty && !type.endsWith('.done'))
    return [
      { at: '/type', json: '"response.output_item.repeated"' },
      { at: '/item_id', json: JSON.stringify(id) },
    ];
  return [{ at: '/type', json: '"response.output_item.done"' }];
}

/** Only these are told otherwise on a response stream. */
const TRANSLATED = /"(?:response\.done|conversation\.item\.[a-z]+)"/;
const ITEM_ADDED = '"response.output_item.added"';

/** A piece of sound, known by how it begins: most messages are, and nothing in them is read. Quotes inside a JSON string are escaped. */
const PIECE_OF_SOUND = /^\{[^{}]*"type":\s*"response\.(?:output_)?audio\.delta"/;
const ITEM_ID = /"item_id":\s*"([^"\\]+)"/;
const HEAD = 512;

/** Reads one response of a realtime socket, the repetitions of its items in the conversation included. */
export class RealtimeReader extends ResponseSocketReader {
  readonly #sounding = new WeakSet<Frame>();
  /** item → the lanes of what is said of it */
  readonly #lanes: Map<string, readonly string[]>;

  constructor(reading: Reading, eventId: () => string) {
    const lanes = new Map<string, readonly string[]>();
    super(reading, {
      read(message) {
        if (!TRANSLATED.test(message)) return message;
        const splices = splicesFor(JSON.parse(message) as JsonObject, (id) => lanes.has(id));
        return splices.length === 0 ? message : spliceAll(message, splices);
      },
      write: (message, original) => restored(message, JSON.parse(original) as JsonObject, eventId),
    });
    this.#lanes = lanes;
  }

  override push(chunk: Uint8Array): Frame[] {
    const sound = this.#pieceOfSound(chunk);
    if (sound) return [sound];
    const frames = super.push(chunk);
    for (const frame of frames) {
      if (frame.texts.length > 0 && SOUND.test(textOf(chunk))) this.#sounding.add(frame);
      if (frame.lanes.length > 1) this.#learn(chunk, frame);
    }
    return frames;
  }

  /** The frame of a piece of sound: it keeps its place behind what is held of its item. */
  #pieceOfSound(chunk: Uint8Array): Frame | undefined {
    const head = textOf(chunk.subarray(0, HEAD));
    if (!PIECE_OF_SOUND.test(head)) return undefined;
    const lanes = this.#lanes.get(ITEM_ID.exec(head)?.[1] ?? '');
    return lanes && { ...SOUND_FRAME, bytes: chunk, lanes };
  }

  #learn(chunk: Uint8Array, frame: Frame): void {
    const text = textOf(chunk);
    if (!text.includes(ITEM_ADDED)) return;
    const id = asString(member(member(JSON.parse(text) as Json, 'item'), 'id'));
    if (id !== undefined) this.#lanes.set(id, frame.lanes.slice(-1));
  }

  /** Throws a RangeError where written words are to change and a sound says them too. */
  override rewrite(frame: Frame, changes: FrameChanges): Uint8Array {
    if (changes.texts.size > 0 && this.#sounding.has(frame))
      throw new RangeError('the words of a sound cannot be edited: the sound itself says them');
    return super.rewrite(frame, changes);
  }
}

const textOf = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString();

/** A message whose words a sound says as well. */
const SOUND = /"response\.(?:output_)?audio_transcript\.|"type":\s*"(?:output_)?audio"/;

const SOUND_FRAME: Omit<Frame, 'bytes' | 'lanes'> = {
  hidden: false,
  texts: [],
  closes: [],
  slots: [],
  completes: [],
  finish: false,
  ping: false,
};

/** An edited event under its own name again, or an event of ours with what the socket's others have. */
function restored(message: string, original: JsonObject, eventId: () => string): string {
  const edited = JSON.parse(message) as JsonObject;
  const own = edited['event_id'] !== undefined && edited['event_id'] === original['event_id'];
  const response_id = original['response_id'] ?? member(original['response'], 'id') ?? null;
  if (!own) return JSON.stringify({ event_id: eventId(), response_id, ...asPart(edited) });
  const splices: Splice[] = [];
  if (edited['type'] !== original['type'])
    splices.push({ at: '/type', json: JSON.stringify(original['type'] ?? null) });
  if (edited['item_id'] !== original['item_id']) splices.push({ at: '/item_id', remove: true });
  const usage = member(original['response'], 'usage');
  if (isObject(usage)) splices.push({ at: '/response/usage', json: JSON.stringify(usage) });
  return spliceAll(message, splices);
}

/** Parts are called otherwise in the events that begin and end them. */
function asPart(event: JsonObject): JsonObject {
  const part = event['part'];
  return isObject(part) ? { ...event, part: { type: 'text', text: part['text'] as Json } } : event;
}
