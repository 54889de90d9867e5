import { GrowingBytes } from '../_shared/growing-bytes.ts';
import { SseSplitter } from '../_shared/sse.ts';

/** How a streamed reply is cut into records: server-sent events (`alt=sse`), or the elements of one JSON array. */
export interface Framing {
  readonly kind: 'sse' | 'array';
  /** The records this chunk completes; joined with what `end` returns they are the stream. */
  push(chunk: Uint8Array): Uint8Array[];
  end(): Uint8Array;
}

const OPEN = 91;
const SPACE = new Set([9, 10, 13, 32]);

/** The first byte tells: an array opens with a bracket, no event does. Undefined where only white space has come. */
export function framingFor(start: Uint8Array): Framing | undefined {
  const first = start.find((byte) => !SPACE.has(byte));
  if (first === undefined) return undefined;
  if (first === OPEN) return new ArrayFraming();
  const splitter = new SseSplitter();
  return { kind: 'sse', push: (chunk) => splitter.push(chunk), end: () => splitter.end() };
}

const QUOTE = 34;
const BACKSLASH = 92;
const OPENS = new Set([123, OPEN]);
const CLOSES = new Set([125, 93]);

/**
 * Cuts `[{…},{…}]` behind its bracket, behind each element and behind the end; a separator leads the element that follows it. Every
 * byte is looked at once.
 */
class ArrayFraming implements Framing {
  readonly kind = 'array';
  readonly #rest = new GrowingBytes();
  #depth = 0;
  #inString = false;
  #escaped = false;
  /** how far the rest has been read */
  #seen = 0;

  push(chunk: Uint8Array): Uint8Array[] {
    this.#rest.append(chunk);
    const bytes = this.#rest.view();
    const records: Uint8Array[] = [];
    let start = 0;
    for (let i = this.#seen; i < bytes.length; i += 1) {
      if (!this.#ends(bytes[i] as number)) continue;
      records.push(bytes.slice(start, i + 1));
      start = i + 1;
    }
    this.#rest.drop(start);
    this.#seen = bytes.length - start;
    return records;
  }

  end(): Uint8Array {
    const rest = this.#rest.view().slice();
    this.#rest.drop(rest.length);
    return rest;
  }

  /** True where a record ends with this byte. */
  #ends(byte: number): boolean {
    if (this.#inString) {
      if (this.#escaped) this.#escaped = false;
      else if (byte === BACKSLASH) this.#escaped = true;
      else if (byte === QUOTE) this.#inString = false;
      return false;
    }
    if (byte === QUOTE) this.#inString = true;
    else if (OPENS.has(byte)) {
      this.#depth += 1;
      return this.#depth === 1;
    } else if (CLOSES.has(byte)) {
      this.#depth -= 1;
      return this.#depth <= 1;
    }
    return false;
  }
}
