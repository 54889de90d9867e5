import { gemini } from '../../../gateway/dialects/gemini.ts';
import type { Json } from '../../../gateway/domain/json.ts';
import { parseStrict } from '../../../gateway/domain/json-text.ts';
import type { Frame, Reading, StreamReader } from '../../../gateway/ports/dialect.ts';

export const PATH = '/v1beta/models/gemini-2.5-flash:generateContent';
const STREAM = '/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse';

const BODY = { contents: [{ role: 'user', parts: [{ text: 'hi' }] }] };

/** A request, read; contents unless given. */
export function request(
  extra: Record<string, Json> = {},
  path = STREAM,
  headers: Record<string, string> = {},
): Reading {
  const text = JSON.stringify({ ...BODY, ...extra });
  return gemini.read(parseStrict(text), text.length, headers, path);
}

export const USAGE = { promptTokenCount: 9, candidatesTokenCount: 20, totalTokenCount: 36, thoughtsTokenCount: 7 };

/** One chunk with parts of candidate 0. */
export const chunk = (
  parts: readonly Json[],
  more: Record<string, Json> = {},
  top: Record<string, Json> = {},
): Json => ({
  candidates: [{ content: { role: 'model', parts }, index: 0, ...more }],
  modelVersion: 'gemini-2.5-flash',
  ...top,
});

export const call = (name: string, args: Json, more: Record<string, Json> = {}): Json => ({
  functionCall: { name, args },
  ...more,
});

export const STOP = chunk([{ text: '' }], { finishReason: 'STOP' }, { usageMetadata: USAGE });

export const events = (chunks: readonly Json[]): string =>
  chunks.map((one) => `data: ${JSON.stringify(one)}\r\n\r\n`).join('');

/** The same chunks as servers write them without `alt=sse`. */
export const array = (chunks: readonly Json[]): string =>
  `[${chunks.map((one) => JSON.stringify(one, null, 2)).join('\n,\r\n')}\n]\n`;

export const FRAMINGS = [
  ['events', events],
  ['one array', array],
] as const;

/** The chunks in a stream of either framing; throws where it is not well-formed. */
export function chunksIn(text: string): Json[] {
  if (text.trimStart().startsWith('[')) return JSON.parse(text) as Json[];
  return text
    .split(/\r?\n/)
    .filter((line) => line.startsWith('data: '))
    .map((line) => JSON.parse(line.slice('data: '.length)) as Json);
}

export interface Replay {
  readonly reader: StreamReader;
  readonly frames: Frame[];
}

export function replay(stream: string | Uint8Array, size = Infinity, reading: Reading = request()): Replay {
  const bytes = typeof stream === 'string' ? new TextEncoder().encode(stream) : stream;
  const reader = gemini.openStream(reading);
  const frames: Frame[] = [];
  const step = Math.min(size, bytes.length);
  for (let at = 0; at < bytes.length; at += step) frames.push(...reader.push(bytes.subarray(at, at + step)));
  frames.push(...reader.end());
  return { reader, frames };
}

export const joined = (pieces: readonly Uint8Array[]): string => Buffer.concat(pieces).toString('utf8');

/** What a client gets when every frame from `from` on is offered for rewriting. */
export function rewritten(
  stream: string | Uint8Array,
  changes: {
    denied?: Record<string, string>;
    edited?: Record<string, Json>;
    texts?: Record<number, Record<string, string>>;
  },
  from = 0,
): { text: string; reader: StreamReader } {
  const { reader, frames } = replay(stream);
  const sent = frames.map((frame, i) =>
    i < from
      ? frame.bytes
      : reader.rewrite(frame, {
          denied: new Map(Object.entries(changes.denied ?? {})),
          edited: new Map(Object.entries(changes.edited ?? {})),
          texts: new Map(Object.entries(changes.texts?.[i] ?? {})),
        }),
  );
  return { text: joined(sent), reader };
}
