import type { Json } from '../../domain/json.ts';
import { type Splice, spliceAll } from '../../domain/json-splice.ts';
import { JsonFault, parseStrict } from '../../domain/json-text.ts';
import { sseFields } from '../_shared/sse.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const DATA_LINE = /^\uFEFF?data: ?/;

/** One event's text, to be sent changed and in the same style: line ends, an `event` line or none. */
export class EventText {
  readonly #lines: readonly string[];
  readonly #newline: string;
  readonly #named: boolean;
  readonly #json: string;
  readonly value: Json;

  /** Throws a RangeError where the event's data cannot be read as strict JSON: nothing can land in it. */
  constructor(bytes: Uint8Array) {
    const text = decoder.decode(bytes);
    const { event, data } = sseFields(text);
    this.#newline = /\r\n|\n|\r/.exec(text)?.[0] ?? '\n';
    this.#lines = text.split(/\r\n|\n|\r/);
    this.#named = event !== undefined;
    this.#json = data ?? '';
    try {
      this.value = parseStrict(this.#json).value;
    } catch (error) {
      if (error instanceof JsonFault) throw new RangeError(`the event cannot be edited: ${error.message}`);
      throw error;
    }
  }

  /** The event with splices made in its data; every other line stays. */
  edited(splices: readonly Splice[]): string {
    const json = spliceAll(this.#json, splices);
    const at = this.#lines.findIndex((line) => DATA_LINE.test(line));
    const lines = this.#lines.flatMap((line, i) => {
      if (i === at) return json.split('\n').map((piece) => (DATA_LINE.exec(line)?.[0] ?? 'data: ') + piece);
      return DATA_LINE.test(line) ? [] : [line];
    });
    return lines.join(this.#newline);
  }

  /** A further event of the gate's own in the same style. */
  another(type: string, value: Json): string {
    const name = this.#named ? `event: ${type}${this.#newline}` : '';
    return `${name}data: ${JSON.stringify(value)}${this.#newline}${this.#newline}`;
  }
}

export const bytesOf = (text: string): Uint8Array => encoder.encode(text);
