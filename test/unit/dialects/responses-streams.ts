import { openaiResponses } from '../../../gateway/dialects/openai-responses.ts';
import type { Json, JsonObject } from '../../../gateway/domain/json.ts';
import { parseStrict } from '../../../gateway/domain/json-text.ts';
import type { Frame, Reading, StreamReader } from '../../../gateway/ports/dialect.ts';

export const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
export const decode = (...pieces: readonly Uint8Array[]): string => Buffer.concat(pieces).toString('utf8');

export function request(extra: Record<string, Json> = {}): Reading {
  const text = JSON.stringify({ model: 'm', stream: true, input: 'hi', ...extra });
  return openaiResponses.read(parseStrict(text), text.length, {});
}

export const USAGE = {
  input_tokens: 20,
  input_tokens_details: { cached_tokens: 4 },
  output_tokens: 10,
  output_tokens_details: { reasoning_tokens: 3 },
  total_tokens: 30,
};

export const response = (extra: Record<string, Json> = {}): JsonObject => ({
  id: 'resp_00000000ffffffff',
  object: 'response',
  status: 'in_progress',
  model: 'gpt-x-2',
  service_tier: 'auto',
  output: [],
  usage: null,
  ...extra,
});

/** Events in a row, numbered as the API numbers them. */
export function stream(events: readonly JsonObject[]): string {
  return events
    .map((body, i) => `event: ${String(body['type'])}\ndata: ${JSON.stringify({ ...body, sequence_number: i })}\n\n`)
    .join('');
}

export const call = (id: string, name: string, args: string, extra: Record<string, Json> = {}): JsonObject => ({
  id: `fc_${id}`,
  type: 'function_call',
  status: 'completed',
  call_id: `call_${id}`,
  name,
  arguments: args,
  ...extra,
});

export const message = (id: string, text: string): JsonObject => ({
  id: `msg_${id}`,
  type: 'message',
  status: 'completed',
  role: 'assistant',
  content: [{ type: 'output_text', annotations: [], logprobs: [], text }],
});

/** All events of a call, its arguments in these pieces. */
export function callEvents(index: number, item: JsonObject, pieces: readonly string[]): JsonObject[] {
  const at = { item_id: item['id'] as Json, output_index: index };
  return [
    {
      type: 'response.output_item.added',
      output_index: index,
      item: { ...item, status: 'in_progress', arguments: '' },
    },
    ...pieces.map((delta) => ({ type: 'response.function_call_arguments.delta', ...at, delta })),
    { type: 'response.function_call_arguments.done', ...at, arguments: item['arguments'] as Json },
    { type: 'response.output_item.done', output_index: index, item },
  ];
}

/** All events of a message, its text in these pieces. */
export function messageEvents(index: number, item: JsonObject, pieces: readonly string[]): JsonObject[] {
  const at = { item_id: item['id'] as Json, output_index: index, content_index: 0 };
  const text = pieces.join('');
  const part = { type: 'output_text', annotations: [], logprobs: [] };
  return [
    { type: 'response.output_item.added', output_index: index, item: { ...item, status: 'in_progress', content: [] } },
    { type: 'response.content_part.added', ...at, part: { ...part, text: '' } },
    ...pieces.map((delta) => ({
      type: 'response.output_text.delta',
      ...at,
      delta,
      logprobs: [{ token: delta, logprob: 0, bytes: [], top_logprobs: [] }],
    })),
    { type: 'response.output_text.done', ...at, text, logprobs: [] },
    { type: 'response.content_part.done', ...at, part: { ...part, text } },
    { type: 'response.output_item.done', output_index: index, item },
  ];
}

/** A whole stream around these items' events. */
export function whole(
  events: readonly JsonObject[],
  output: readonly Json[],
  extra: Record<string, Json> = {},
): string {
  const end = { status: 'completed', service_tier: 'default', usage: USAGE, output, ...extra };
  return stream([
    { type: 'response.created', response: response() },
    { type: 'response.in_progress', response: response() },
    ...events,
    { type: 'response.completed', response: response(end) },
  ]);
}

export const TEXT = message('a0000000', 'Let me look.');
export const WEATHER = call('aaaaaaaa', 'weather', '{"city":"Oslo"}');
export const DELETE = call('bbbbbbbb', 'delete_file', '{"path":"/etc/passwd"}');

/** Two parallel calls after a word of text, everything in pieces and then repeated. */
export const TWO_CALLS = whole(
  [
    ...messageEvents(0, TEXT, ['Let me ', 'look.']),
    ...callEvents(1, WEATHER, ['{"city":', '"Oslo"}']),
    ...callEvents(2, DELETE, ['{"path":"/etc/pass', 'wd"}']),
  ],
  [TEXT, WEATHER, DELETE],
);

export interface Replay {
  readonly reader: StreamReader;
  readonly frames: readonly Frame[];
}

export function replay(text: string, reading: Reading = request(), size = Infinity): Replay {
  const bytes = encode(text);
  const reader = openaiResponses.openStream(reading);
  const frames: Frame[] = [];
  const step = Math.min(size, bytes.length);
  for (let at = 0; at < bytes.length; at += step) frames.push(...reader.push(bytes.subarray(at, at + step)));
  frames.push(...reader.end());
  return { reader, frames };
}

export interface Changes {
  readonly denied?: Record<string, string>;
  readonly edited?: Record<string, Json>;
  /** channel → what each of its pieces becomes */
  readonly texts?: Record<string, (text: string) => string>;
}

/** The bytes a client gets when every frame is offered for rewriting. */
export function rewritten(
  text: string,
  { denied = {}, edited = {}, texts = {} }: Changes,
): { text: string; reader: StreamReader; bodies: JsonObject[] } {
  const { reader, frames } = replay(text);
  const sent = frames.map((frame) =>
    reader.rewrite(frame, {
      denied: new Map(Object.entries(denied)),
      edited: new Map(Object.entries(edited)),
      texts: new Map(
        frame.texts.flatMap(({ channel, text: own }) => {
          const change = texts[channel];
          return change ? [[channel, change(own)] as const] : [];
        }),
      ),
    }),
  );
  return { text: decode(...sent), reader, bodies: bodiesOf(decode(...sent)) };
}

const bodiesOf = (text: string): JsonObject[] =>
  text
    .split('\n')
    .filter((line) => line.startsWith('data: {'))
    .map((line) => JSON.parse(line.slice('data: '.length)) as JsonObject);
