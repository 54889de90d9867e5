const LF = 10;
const CR = 13;
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const MARK = [0xef, 0xbb, 0xbf];

export interface EventSink {
  /** Bytes that are no UTF-8 come with `data` undefined. */
  event(name: string, data: string | undefined): void;
  /** an event longer than the limit: told once, its bytes are not kept */
  tooLong(): void;
}

/**
 * Reads an event stream (https://html.spec.whatwg.org/multipage/server-sent-events.html), cut anywhere, with any of the three line ends.
 * Comments, ids and retry times are passed over. Memory is bounded by the limit.
 */
export class EventSplitter {
  readonly #limit: number;
  readonly #sink: EventSink;
  #line: Uint8Array[] = [];
  #name = '';
  #data: string[] = [];
  #size = 0;
  #broken = false;
  #skipping = false;
  #afterReturn = false;
  #first = true;

  constructor(limit: number, sink: EventSink) {
    this.#limit = limit;
    this.#sink = sink;
  }

  push(chunk: Uint8Array): void {
    let start = 0;
    for (let i = 0; i < chunk.length; i += 1) {
      const byte = chunk[i];
      const endedBefore = this.#afterReturn && byte === LF;
      this.#afterReturn = byte === CR;
      if (endedBefore) start = i + 1;
      else if (byte === LF || byte === CR) {
        this.#take(chunk.subarray(start, i));
        this.#finish();
        start = i + 1;
      }
    }
    this.#take(chunk.subarray(start));
  }

  #take(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#size += bytes.length;
    if (this.#size <= this.#limit) this.#line.push(bytes);
    else if (!this.#skipping) {
      this.#skipping = true;
      this.#sink.tooLong();
    }
    if (this.#skipping) this.#line = [];
  }

  #finish(): void {
    let bytes: Uint8Array = this.#line.length === 1 ? (this.#line[0] as Uint8Array) : Buffer.concat(this.#line);
    this.#line = [];
    if (this.#first && MARK.every((byte, i) => bytes[i] === byte)) bytes = bytes.subarray(MARK.length);
    this.#first = false;
    // a line that was skipped is not the blank one that ends its event
    if (bytes.length === 0 && !(this.#skipping && this.#size > 0)) return this.#dispatch();
    if (this.#skipping) {
      this.#size = 0;
      return;
    }
    let line: string;
    try {
      line = UTF8.decode(bytes);
    } catch {
      this.#broken = true;
      return;
    }
    const colon = line.indexOf(':');
    if (colon === 0) return;
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(colon + (line[colon + 1] === ' ' ? 2 : 1));
    if (field === 'event') this.#name = value;
    else if (field === 'data') this.#data.push(value);
  }

  #dispatch(): void {
    const [name, data, broken] = [this.#name, this.#data, this.#broken];
    const skipped = this.#skipping;
    this.#name = '';
    this.#data = [];
    this.#size = 0;
    this.#broken = false;
    this.#skipping = false;
    if (skipped) return;
    if (broken) this.#sink.event(name || 'message', undefined);
    else if (data.length > 0) this.#sink.event(name || 'message', data.join('\n'));
  }
}
