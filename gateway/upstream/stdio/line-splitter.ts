const NEWLINE = 10;
const RETURN = 13;

export interface LineSink {
  /** one line without its newline; never longer than the limit */
  line(bytes: Uint8Array): void;
  /** a line that is longer than the limit: told once, as soon as that is known; its bytes are not kept */
  tooLong(): void;
}

/**
 * Cuts a byte stream at newlines, wherever the chunks were cut. No byte of a multibyte UTF-8 character is a newline, so a line is a
 * whole text. Memory is bounded by the limit.
 */
export class LineSplitter {
  readonly #limit: number;
  readonly #sink: LineSink;
  #held: Uint8Array[] = [];
  #size = 0;
  #skipping = false;

  constructor(limit: number, sink: LineSink) {
    this.#limit = limit;
    this.#sink = sink;
  }

  push(chunk: Uint8Array): void {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      this.#take(chunk.subarray(start, end));
      this.#finish();
      start = end + 1;
    }
    if (start < chunk.length) this.#take(chunk.subarray(start));
  }

  /** The stream is over: what has no newline behind it is a line too. */
  end(): void {
    if (this.#size > 0 || this.#skipping) this.#finish();
  }

  #take(bytes: Uint8Array): void {
    if (this.#skipping || bytes.length === 0) return;
    this.#size += bytes.length;
    if (this.#size > this.#limit) {
      this.#held = [];
      this.#skipping = true;
      this.#sink.tooLong();
    } else this.#held.push(bytes);
  }

  #finish(): void {
    const held = this.#held;
    const skipped = this.#skipping;
    this.#held = [];
    this.#size = 0;
    this.#skipping = false;
    if (skipped) return;
    const line = held.length === 1 ? (held[0] as Uint8Array) : Buffer.concat(held);
    this.#sink.line(line.at(-1) === RETURN ? line.subarray(0, -1) : line);
  }
}
