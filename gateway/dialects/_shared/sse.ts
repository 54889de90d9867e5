/** A server-sent event's fields that matter here (WHATWG HTML, section 9.2.6): its type and its data lines joined. */
export interface SseFields {
  readonly event: string | undefined;
  readonly data: string | undefined;
}

const LF = 10;
const CR = 13;

/** Cuts a byte stream into events and keeps every byte: the pieces, joined, are the stream. LF, CRLF and CR line ends. */
export class SseSplitter {
  #rest: Uint8Array = new Uint8Array(0);
  /** how far `#rest` has been searched */
  #seen = 0;

  /** The events that this chunk completes, each with the blank line that ends it. */
  push(chunk: Uint8Array): Uint8Array[] {
    const bytes = this.#rest.length === 0 ? chunk : join(this.#rest, chunk);
    const events: Uint8Array[] = [];
    let start = 0;
    let at = this.#seen;
    for (;;) {
      const end = eventEnd(bytes, at);
      if (end === -1) break;
      events.push(bytes.subarray(start, end));
      start = end;
      at = end;
    }
    this.#rest = bytes.subarray(start);
    // the last three bytes may be the beginning of a blank line
    this.#seen = Math.max(0, this.#rest.length - 3);
    return events;
  }

  /** What is left after the last complete event; empty at a clean end. */
  end(): Uint8Array {
    const rest = this.#rest;
    this.#rest = new Uint8Array(0);
    this.#seen = 0;
    return rest;
  }
}

function join(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a, 0);
  both.set(b, a.length);
  return both;
}

/** The offset behind the first blank line at or after `from`, or -1. A CR that may be half a CRLF waits for the next byte. */
function eventEnd(bytes: Uint8Array, from: number): number {
  for (let i = from; i < bytes.length; i += 1) {
    const first = lineEnd(bytes, i);
    if (first === 0) continue;
    const second = lineEnd(bytes, i + first);
    if (second > 0) {
      const end = i + first + second;
      if (bytes[end - 1] === CR && end === bytes.length) return -1;
      return end;
    }
  }
  return -1;
}

function lineEnd(bytes: Uint8Array, i: number): number {
  if (bytes[i] === LF) return 1;
  if (bytes[i] === CR) return bytes[i + 1] === LF ? 2 : 1;
  return 0;
}

/** Reads one event's text. */
export function sseFields(text: string): SseFields {
  let event: string | undefined;
  let data: string | undefined;
  for (const line of text.split(/\r\n|\n|\r/)) {
    const colon = line.indexOf(':');
    if (colon <= 0) continue;
    const value = line.charCodeAt(colon + 1) === 32 ? line.slice(colon + 2) : line.slice(colon + 1);
    const field = line.slice(0, colon);
    if (field === 'data') data = data === undefined ? value : `${data}\n${value}`;
    else if (field === 'event') event = value;
  }
  return { event, data };
}
