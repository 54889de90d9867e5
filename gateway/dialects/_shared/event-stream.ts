import { Fault } from '../../domain/fault.ts';
import { crc32 } from './crc32.ts';
import { GrowingBytes } from './growing-bytes.ts';

/** One message of `application/vnd.amazon.eventstream` (https://docs.aws.amazon.com/transcribe/latest/dg/event-stream.html). */
export interface EventMessage {
  /** the whole message, lengths and checksums included */
  readonly bytes: Uint8Array;
  /** as on the wire */
  readonly headers: Uint8Array;
  readonly payload: Uint8Array;
}

/** Total length, length of headers, checksum of both. */
const PRELUDE = 12;
const TRAILER = 4;
/** A message of the services is limited to 16 MiB; more is a broken length. */
const LARGEST = 24 * 1024 * 1024;

const unreadable = (why: string): Fault =>
  new Fault('TG_UPSTREAM_UNREADABLE', `the upstream's event stream is broken: ${why}`);

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Cuts a byte stream into messages; joined with what `end` returns they are the stream. Throws a Fault where a checksum fails. */
export class EventStreamSplitter {
  readonly #rest = new GrowingBytes();

  push(chunk: Uint8Array): EventMessage[] {
    this.#rest.append(chunk);
    const messages: EventMessage[] = [];
    for (;;) {
      const rest = this.#rest.view();
      const length = messageLength(rest);
      if (length === undefined || rest.length < length) return messages;
      messages.push(readMessage(rest.slice(0, length)));
      this.#rest.drop(length);
    }
  }

  /** What is left after the last whole message; empty at a clean end. */
  end(): Uint8Array {
    const rest = this.#rest.view().slice();
    this.#rest.drop(rest.length);
    return rest;
  }
}

/** Undefined until the prelude is there. */
function messageLength(bytes: Uint8Array): number | undefined {
  if (bytes.length < PRELUDE) return undefined;
  const view = viewOf(bytes);
  if (crc32(bytes.subarray(0, 8)) !== view.getUint32(8)) throw unreadable('the checksum of a prelude is wrong');
  const total = view.getUint32(0);
  if (total < PRELUDE + TRAILER + view.getUint32(4) || total > LARGEST) throw unreadable('a length is impossible');
  return total;
}

function readMessage(bytes: Uint8Array): EventMessage {
  const view = viewOf(bytes);
  const end = bytes.length - TRAILER;
  if (crc32(bytes.subarray(0, end)) !== view.getUint32(end)) throw unreadable('the checksum of a message is wrong');
  const split = PRELUDE + view.getUint32(4);
  return { bytes, headers: bytes.subarray(PRELUDE, split), payload: bytes.subarray(split, end) };
}

/** A message with these headers and this payload; lengths and checksums are made anew. */
export function eventMessage(headers: Uint8Array, payload: Uint8Array): Uint8Array {
  const total = PRELUDE + headers.length + payload.length + TRAILER;
  const bytes = new Uint8Array(total);
  const view = viewOf(bytes);
  view.setUint32(0, total);
  view.setUint32(4, headers.length);
  view.setUint32(8, crc32(bytes.subarray(0, 8)));
  bytes.set(headers, PRELUDE);
  bytes.set(payload, PRELUDE + headers.length);
  view.setUint32(total - TRAILER, crc32(bytes.subarray(0, total - TRAILER)));
  return bytes;
}

const STRING = 7;
/** Bytes of a header value by its type; undefined: a two-byte length leads it. */
const SIZES: Readonly<Record<number, number | undefined>> = { 0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16 };
const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** The headers that are strings. Throws a Fault where they are cut off. */
export function stringHeaders(bytes: Uint8Array): ReadonlyMap<string, string> {
  const view = viewOf(bytes);
  const found = new Map<string, string>();
  let at = 0;
  const take = (count: number): Uint8Array => {
    if (at + count > bytes.length) throw unreadable('a header is cut off');
    at += count;
    return bytes.subarray(at - count, at);
  };
  while (at < bytes.length) {
    const name = decoder.decode(take(take(1)[0] as number));
    const type = take(1)[0] as number;
    const fixed = SIZES[type];
    if (fixed === undefined) take(2);
    const value = take(fixed ?? view.getUint16(at - 2));
    if (type === STRING) found.set(name, decoder.decode(value));
  }
  return found;
}

/** String headers as they stand on the wire. */
export function headerBytes(headers: Readonly<Record<string, string>>): Uint8Array {
  const pieces = Object.entries(headers).flatMap(([name, value]) => {
    const key = encoder.encode(name);
    const text = encoder.encode(value);
    return [key.length, ...key, STRING, text.length >> 8, text.length & 0xff, ...text];
  });
  return Uint8Array.from(pieces);
}
