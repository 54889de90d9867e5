import { openaiChat } from '../../../gateway/dialects/openai-chat.ts';
import type { Json } from '../../../gateway/domain/json.ts';
import { parseStrict } from '../../../gateway/domain/json-text.ts';
import type { Frame, Reading, StreamReader } from '../../../gateway/ports/dialect.ts';

export const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
export const decode = (...pieces: readonly Uint8Array[]): string => Buffer.concat(pieces).toString('utf8');

export function request(extra: Record<string, Json> = {}): Reading {
  const body = { model: 'm', stream: true, messages: [{ role: 'user', content: 'hi' }], ...extra };
  const text = JSON.stringify(body);
  return openaiChat.read(parseStrict(text), text.length, {});
}

export const ASKED = { stream_options: { include_usage: true } };

/** One chunk as an event. */
export const chunk = (choices: readonly Json[], extra: Record<string, Json> = {}): string =>
  `data: ${JSON.stringify({ id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: 'gpt-x-2', choices, ...extra })}\n\n`;

export const delta = (piece: Json, index = 0): string => chunk([{ index, delta: piece, finish_reason: null }]);
export const call = (index: number, body: Record<string, Json>, extra: Record<string, Json> = {}): string =>
  delta({ tool_calls: [{ index, ...extra, function: body }] });
export const finish = (reason: string, index = 0): string => chunk([{ index, delta: {}, finish_reason: reason }]);
export const USAGE = { prompt_tokens: 20, completion_tokens: 10, total_tokens: 30 };
export const usage = (): string => chunk([], { usage: USAGE });
export const DONE = 'data: [DONE]\n\n';

/** Two parallel calls after a word of text, the arguments in pieces. */
export const TWO_CALLS = [
  delta({ role: 'assistant', content: 'Let me look.' }),
  call(0, { name: 'weather', arguments: '' }, { id: 'call_aaaaaaaa', type: 'function' }),
  call(0, { arguments: '{"city":' }),
  call(0, { arguments: '"Oslo"}' }),
  call(1, { name: 'delete_file', arguments: '' }, { id: 'call_bbbbbbbb', type: 'function' }),
  call(1, { arguments: '{"path":"/etc/pass' }),
  call(1, { arguments: 'wd"}' }),
  finish('tool_calls'),
  usage(),
  DONE,
].join('');

export interface Replay {
  readonly reader: StreamReader;
  readonly frames: readonly Frame[];
}

/** Reads a stream in chunks of `size` bytes. */
export function replay(stream: string | Uint8Array, reading: Reading = request(ASKED), size = Infinity): Replay {
  const bytes = typeof stream === 'string' ? encode(stream) : stream;
  const reader = openaiChat.openStream(reading);
  const frames: Frame[] = [];
  const step = Math.min(size, bytes.length);
  for (let at = 0; at < bytes.length; at += step) frames.push(...reader.push(bytes.subarray(at, at + step)));
  frames.push(...reader.end());
  return { reader, frames };
}

export interface Changes {
  readonly denied?: Record<string, string>;
  readonly edited?: Record<string, Json>;
  /** frame number → channel → text */
  readonly texts?: Record<number, Record<string, string>>;
}

/** The bytes a client gets when every frame is offered for rewriting. */
export function rewritten(
  stream: string,
  { denied = {}, edited = {}, texts = {} }: Changes,
): { text: string; reader: StreamReader } {
  const { reader, frames } = replay(stream);
  const sent = frames
    .filter((frame) => !frame.hidden)
    .map((frame) =>
      reader.rewrite(frame, {
        denied: new Map(Object.entries(denied)),
        edited: new Map(Object.entries(edited)),
        texts: new Map(Object.entries(texts[frames.indexOf(frame)] ?? {})),
      }),
    );
  return { text: decode(...sent), reader };
}
