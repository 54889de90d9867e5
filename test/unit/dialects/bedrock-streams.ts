import {
  EventStreamSplitter,
  eventMessage,
  headerBytes,
  stringHeaders,
} from '../../../gateway/dialects/_shared/event-stream.ts';
import type { Json } from '../../../gateway/domain/json.ts';
import { parseStrict } from '../../../gateway/domain/json-text.ts';
import type { Dialect, Frame, Reading, StreamReader } from '../../../gateway/ports/dialect.ts';

export const MODEL = 'us.anthropic.claude-sonnet-4-5-20250929-v1:0';
export const CONVERSE = `/model/${encodeURIComponent(MODEL)}/converse`;
export const INVOKE = `/model/${encodeURIComponent(MODEL)}/invoke`;

export function reading(dialect: Dialect, body: Json, path: string): Reading {
  const text = JSON.stringify(body);
  return dialect.read(parseStrict(text), text.length, {}, path);
}

const json = (value: Json): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

/** One event as Bedrock sends it. */
export const event = (type: string, payload: Json): Uint8Array =>
  eventMessage(
    headerBytes({ ':event-type': type, ':content-type': 'application/json', ':message-type': 'event' }),
    json(payload),
  );

/** A native event in its wrapping. */
export const wrapped = (native: Json): Uint8Array =>
  event('chunk', { bytes: Buffer.from(JSON.stringify(native)).toString('base64'), p: 'abcdef' });

export interface Told {
  readonly type: string;
  readonly body: Record<string, Json>;
}

/** The messages in a stream, checksums checked. */
export function told(bytes: Uint8Array): Told[] {
  const splitter = new EventStreamSplitter();
  const messages = splitter.push(bytes).map(({ headers, payload }) => {
    const named = stringHeaders(headers);
    const type = named.get(':event-type') ?? named.get(':exception-type') ?? '';
    return { type, body: JSON.parse(Buffer.from(payload).toString()) as Record<string, Json> };
  });
  if (splitter.end().length > 0) throw new Error('the stream ends inside a message');
  return messages;
}

/** The native events in a stream. */
export const unwrapped = (bytes: Uint8Array): Json[] =>
  told(bytes).map(({ body }) => JSON.parse(Buffer.from(body['bytes'] as string, 'base64').toString()) as Json);

export const join = (pieces: readonly Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(pieces));

export interface Replay {
  readonly reader: StreamReader;
  readonly frames: Frame[];
}

export function replay(dialect: Dialect, asked: Reading, bytes: Uint8Array, size = Infinity): Replay {
  const reader = dialect.openStream(asked);
  const frames: Frame[] = [];
  const step = Math.min(size, bytes.length);
  for (let at = 0; at < bytes.length; at += step) frames.push(...reader.push(bytes.subarray(at, at + step)));
  frames.push(...reader.end());
  return { reader, frames };
}

export interface Changes {
  readonly denied?: Record<string, string>;
  readonly edited?: Record<string, Json>;
  readonly texts?: Record<number, Record<string, string>>;
}

/** What a client gets when every frame is offered for rewriting. */
export function rewritten({ reader, frames }: Replay, { denied = {}, edited = {}, texts = {} }: Changes): Uint8Array {
  return join(
    frames.map((frame, i) =>
      reader.rewrite(frame, {
        denied: new Map(Object.entries(denied)),
        edited: new Map(Object.entries(edited)),
        texts: new Map(Object.entries(texts[i] ?? {})),
      }),
    ),
  );
}
