/** A server-sent event's fields that matter here (WHATWG HTML, section 9.2.6): its type and its data lines joined. */
export interface SseFields {
  readonly event: string | undefined;
  readonly data: string | undefined;
  readonly id: string | undefined;
}

const LF = 10;
const CR = 13;

/**
 * Cuts a byte stream into events and keeps every byte: the pieces, joined, are the stream. LF, CRLF and CR line ends. An event
 * that lies whole inside a chunk is a view of that chunk; the others are copied once, however many chunks they came in.
 */
export class SseSplitter {
  /** the unfinished event is `#rest[0 … #length)` */
  #rest: Uint8Array = new Uint8Array(0);
  #length = 0;
  /** how far the unfinished event has been searched */
  #seen = 0;

  /** The events that this chunk completes, each with the blank line that ends it. */
  push(chunk: Uint8Array): Uint8Array[] {
    const fresh = this.#length === 0;
    if (!fresh) this.#append(chunk);
    const bytes = fresh ? chunk : this.#rest.subarray(0, this.#length);
    const events: Uint8Array[] = [];
    let start = 0;
    for (let end = eventEnd(bytes, this.#seen); end !== -1; end = eventEnd(bytes, start)) {
      events.push(bytes.subarray(start, end));
      start = end;
    }
    // what was handed out is the caller's: an unfinished rest never shares its buffer
    if (fresh || start > 0) {
      this.#rest = bytes.slice(start);
      this.#length = this.#rest.length;
    }
    // the last three bytes may be the beginning of a blank line
    this.#seen = Math.max(0, this.#length - 3);
    return events;
  }

  /** What is left after the last complete event; empty at a clean end. */
  end(): Uint8Array {
    const rest = this.#rest.subarray(0, this.#length);
    this.#rest = new Uint8Array(0);
    this.#length = 0;
    this.#seen = 0;
    return rest;
  }

  #append(chunk: Uint8Array): void {
    const length = this.#length + chunk.length;
    if (length > this.#rest.length) {
      const grown = new Uint8Array(Math.max(length, this.#rest.length * 2));
      grown.set(this.#rest.subarray(0, this.#length));
      this.#rest = grown;
    }
    this.#rest.set(chunk, this.#length);
    this.#length = length;
  }
}

/** The offset behind the first blank line at or after `from`, or -1. A CR that may be half a CRLF waits for the next byte. */
function eventEnd(bytes: Uint8Array, from: number): number {
  let at = nextLineEnd(bytes, from);
  while (at !== -1) {
    const behind = at + lineEnd(bytes, at);
    const blank = lineEnd(bytes, behind);
    const end = behind + blank;
    if (blank > 0) return bytes[end - 1] === CR && end === bytes.length ? -1 : end;
    at = nextLineEnd(bytes, behind);
  }
  return -1;
}

/** A CR counts only before the next LF, so a stream without any is searched once. */
function nextLineEnd(bytes: Uint8Array, from: number): number {
  const lf = bytes.indexOf(LF, from);
  const cr = (lf === -1 ? bytes : bytes.subarray(0, lf)).indexOf(CR, from);
  return cr === -1 ? lf : cr;
}

/** Length of the line end at `i`; 0 where there is none. */
function lineEnd(bytes: Uint8Array, i: number): number {
  if (bytes[i] === LF) return 1;
  if (bytes[i] === CR) return bytes[i + 1] === LF ? 2 : 1;
  return 0;
}

const LINE_END = /\r\n|\n|\r/;

/** Reads one event's text. */
export function sseFields(text: string): SseFields {
  let event: string | undefined;
  let data: string | undefined;
  let id: string | undefined;
  for (const line of text.split(LINE_END)) {
    const colon = line.indexOf(':');
    if (colon === 0 || line === '') continue;
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(line.charCodeAt(colon + 1) === 32 ? colon + 2 : colon + 1);
    if (field === 'data') data = data === undefined ? value : `${data}\n${value}`;
    else if (field === 'event') event = value;
    else if (field === 'id') id = value;
  }
  return { event, data, id };
}

/** The event's text with other data; its other lines, line ends and the space behind `data:` stay. */
export function withData(text: string, data: string): string {
  const lines = text.split(/(\r\n|\n|\r)/);
  let out = '';
  let placed = false;
  for (let i = 0; i < lines.length; i += 2) {
    const line = lines[i] as string;
    const end = lines[i + 1] ?? '';
    if (line !== 'data' && !line.startsWith('data:')) {
      out += line + end;
      continue;
    }
    if (placed) continue;
    placed = true;
    const head = line.startsWith('data: ') || line === 'data' ? 'data: ' : 'data:';
    out += data
      .split(LINE_END)
      .map((part) => head + part + end)
      .join('');
  }
  return out;
}

const ID = [0x69, 0x64, 0x3a] as const;
const SPACE = 32;

/** The event's bytes with `mark` before its id, where it has one that is not empty; the event may be unfinished. */
export function withMarkedId(bytes: Uint8Array, mark: string): Uint8Array {
  const places: number[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = nextLineEnd(bytes, at);
    const place = idAt(bytes, at);
    if (place !== undefined) places.push(place);
    if (end === -1) break;
    at = end + lineEnd(bytes, end);
  }
  if (places.length === 0) return bytes;
  const inserted = new TextEncoder().encode(mark);
  const marked = new Uint8Array(bytes.length + places.length * inserted.length);
  let from = 0;
  let to = 0;
  for (const place of places) {
    marked.set(bytes.subarray(from, place), to);
    marked.set(inserted, to + place - from);
    to += place - from + inserted.length;
    from = place;
  }
  marked.set(bytes.subarray(from), to);
  return marked;
}

/** Where the id begins of the line at `at`; undefined: it has none, or an empty one. */
function idAt(bytes: Uint8Array, at: number): number | undefined {
  if (ID.some((byte, i) => bytes[at + i] !== byte)) return undefined;
  const begin = at + ID.length + (bytes[at + ID.length] === SPACE ? 1 : 0);
  const first = bytes[begin];
  return first === undefined || first === LF || first === CR ? undefined : begin;
}
