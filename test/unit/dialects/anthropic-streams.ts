import { expect } from 'vitest';
import { anthropicMessages } from '../../../gateway/dialects/anthropic-messages.ts';
import type { Json, JsonObject } from '../../../gateway/domain/json.ts';
import { parseStrict } from '../../../gateway/domain/json-text.ts';
import type { Frame, FrameChanges, Reading, StreamReader } from '../../../gateway/ports/dialect.ts';

export const REQUEST = {
  model: 'claude-test-1',
  max_tokens: 1000,
  stream: true,
  messages: [{ role: 'user', content: 'go' }],
};

/** The reading of a request; members given replace those of a small one. */
export function readingOf(members: JsonObject = {}): Reading {
  const text = JSON.stringify({ ...REQUEST, ...members });
  return anthropicMessages.read(parseStrict(text), Buffer.byteLength(text), {});
}

export interface Style {
  readonly newline?: string;
  readonly named?: boolean;
}

/** One event as the API frames it. */
export function sse(value: JsonObject, { newline = '\n', named = true }: Style = {}): string {
  const name = named ? `event: ${value['type']}${newline}` : '';
  return `${name}data: ${JSON.stringify(value)}${newline}${newline}`;
}

export const start = (message: JsonObject = {}): JsonObject => ({
  type: 'message_start',
  message: {
    id: 'msg_1',
    type: 'message',
    role: 'assistant',
    model: 'claude-test-1',
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage: { input_tokens: 10, cache_creation_input_tokens: 0, cache_read_input_tokens: 0, output_tokens: 1 },
    ...message,
  },
});
export const blockStart = (index: number, content_block: JsonObject): JsonObject => ({
  type: 'content_block_start',
  index,
  content_block,
});
export const delta = (index: number, content: JsonObject): JsonObject => ({
  type: 'content_block_delta',
  index,
  delta: content,
});
export const blockStop = (index: number): JsonObject => ({ type: 'content_block_stop', index });
export const finish = (stop_reason: string, usage: JsonObject = { output_tokens: 20 }): JsonObject => ({
  type: 'message_delta',
  delta: { stop_reason, stop_sequence: null },
  usage,
});
export const STOP: JsonObject = { type: 'message_stop' };

/** A text block in pieces. */
export const textBlock = (index: number, ...pieces: string[]): JsonObject[] => [
  blockStart(index, { type: 'text', text: '' }),
  ...pieces.map((text) => delta(index, { type: 'text_delta', text })),
  blockStop(index),
];

/** A tool call whose arguments come in pieces. */
export const callBlock = (index: number, id: string, name: string, ...pieces: string[]): JsonObject[] => [
  blockStart(index, { type: 'tool_use', id, name, input: {} }),
  ...pieces.map((partial_json) => delta(index, { type: 'input_json_delta', partial_json })),
  blockStop(index),
];

export const streamOf = (events: readonly JsonObject[], style: Style = {}): string =>
  events.map((event) => sse(event, style)).join('');

/** Cuts bytes into pieces of at most `size`. */
function* cut(bytes: Uint8Array, size: number): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

export interface ReadStream {
  readonly reader: StreamReader;
  readonly frames: readonly Frame[];
}

export function readStream(
  bytes: Uint8Array | string,
  size = Number.MAX_SAFE_INTEGER,
  reading = readingOf(),
): ReadStream {
  const whole = typeof bytes === 'string' ? Buffer.from(bytes) : bytes;
  const reader = anthropicMessages.openStream(reading);
  const frames: Frame[] = [];
  for (const chunk of cut(whole, size)) frames.push(...reader.push(Uint8Array.from(chunk)));
  frames.push(...reader.end());
  return { reader, frames };
}

export const bytesOf = (frames: readonly Frame[]): string => Buffer.concat(frames.map(({ bytes }) => bytes)).toString();

/** What a frame says, its bytes as text, without what the reader keeps for itself. */
export function plain(frame: Frame): Json {
  const { lanes, texts, closes, slots, completes, finish: ends, ping, hidden } = frame;
  const shown = {
    text: Buffer.from(frame.bytes).toString(),
    lanes,
    texts,
    closes,
    slots,
    completes,
    ends,
    ping,
    hidden,
  };
  return JSON.parse(JSON.stringify(shown)) as Json;
}

export interface Review {
  /** call id → the text in its place */
  readonly deny?: Readonly<Record<string, string>>;
  /** call id → the arguments in place of its own */
  readonly edit?: Readonly<Record<string, Json>>;
  readonly text?: (text: string) => string;
}

/** Does what the corridor does with a reply under review: every frame of a judged call is held until the call is complete. */
export function reviewed(bytes: Uint8Array | string, review: Review, size?: number): { sent: string } & ReadStream {
  const { reader, frames } = readStream(bytes, size);
  const calls = frames.flatMap(({ completes }) => completes);
  const bySlot = <T>(rulings: Readonly<Record<string, T>> | undefined, slots: readonly string[]): Map<string, T> =>
    new Map(
      calls.flatMap(({ slot, callId }) => {
        const ruling = rulings?.[callId];
        return ruling !== undefined && slots.includes(slot) ? [[slot, ruling] as const] : [];
      }),
    );
  const sent = frames.map((frame) => {
    const changes: FrameChanges = {
      texts: new Map(
        frame.texts.flatMap(({ channel, text }) => {
          const changed = review.text?.(text);
          return changed === undefined || changed === text ? [] : [[channel, changed] as const];
        }),
      ),
      denied: bySlot(review.deny, frame.slots),
      edited: bySlot(review.edit, frame.slots),
    };
    return reader.rewrite(frame, changes);
  });
  expect(frames.every(({ hidden }) => !hidden)).toBe(true);
  return { sent: Buffer.concat(sent).toString(), reader, frames };
}
