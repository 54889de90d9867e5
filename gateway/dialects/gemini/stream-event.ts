import { type JsonObject, member } from '../../domain/json.ts';
import { objectIn } from '../_shared/object-in.ts';
import { sseFields, withData } from '../_shared/sse.ts';
import type { Framing } from './framing.ts';

/** One record of a stream, read. */
export interface StreamEvent {
  readonly kind: 'chunk' | 'error' | 'comment' | 'unknown' | 'bracket';
  readonly framing: Framing['kind'];
  readonly text: string;
  /** the JSON text inside */
  readonly data: string;
  /** the data where it is a JSON object, else an empty one */
  readonly body: JsonObject;
}

const NONE: JsonObject = {};
const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** Reads a record; what is no JSON object is `unknown` and never an error. */
export function readEvent(bytes: Uint8Array, framing: Framing['kind']): StreamEvent {
  const text = decoder.decode(bytes);
  const data = framing === 'sse' ? sseFields(text).data : text.replace(/^[\s,]*/, '');
  const event = { framing, text, data: data ?? '', body: NONE };
  if (data === undefined || data.trim() === '') return { ...event, kind: 'comment' };
  if (framing === 'array' && /^[[\]]$/.test(data.trim())) return { ...event, kind: 'bracket' };
  const body = objectIn(data);
  if (!body) return { ...event, kind: 'unknown' };
  return { ...event, body, kind: (member(body, 'error') ?? null) === null ? 'chunk' : 'error' };
}

/** The record's bytes with other data. `first`: no element was sent before it, so no separator leads it. */
export function withOther({ framing, text, data }: StreamEvent, next: string, first: boolean): Uint8Array {
  if (framing === 'sse') return encoder.encode(withData(text, next));
  const lead = text.slice(0, text.length - data.length).replace(',', '');
  return encoder.encode((first ? '' : ',') + lead + next);
}
