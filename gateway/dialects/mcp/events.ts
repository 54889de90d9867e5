import { Fault } from '../../domain/fault.ts';
import type { McpEvent, McpEventReader } from '../../ports/mcp-wire.ts';
import { SseSplitter, sseFields, withData } from '../_shared/sse.ts';
import { EventLines } from './event-lines.ts';

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** Reads a server-sent stream one whole event at a time; every byte is in exactly one event, in `rest`, or was passed. */
class EventReader implements McpEventReader {
  readonly #limit: number;
  #splitter = new SseSplitter();
  #lines: EventLines | undefined;
  #pending = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  push(chunk: Uint8Array): McpEvent[] {
    const events = this.#splitter.push(chunk).map(readEvent);
    this.#pending = events.reduce((left, { bytes }) => left - bytes.length, this.#pending + chunk.length);
    const longest = events.reduce((most, { bytes }) => Math.max(most, bytes.length), this.#pending);
    if (longest > this.#limit)
      throw new Fault(
        'TG_UPSTREAM_UNREADABLE',
        `the server sent an event larger than ${this.#limit} bytes; raise \`mcp.limits.message_mb\``,
      );
    return events;
  }

  rest(): Uint8Array {
    return this.#splitter.end();
  }

  get pending(): number {
    return this.#pending;
  }

  unfinished(): Uint8Array {
    const bytes = this.#splitter.end().slice();
    this.#splitter = new SseSplitter();
    this.#pending = 0;
    this.#lines = new EventLines();
    return bytes;
  }

  pass(chunk: Uint8Array): ReturnType<EventLines['push']> {
    this.#lines ??= new EventLines();
    const passed = this.#lines.push(chunk);
    if (passed.after) this.#lines = undefined;
    return passed;
  }
}

export const openEvents = (limit: number): McpEventReader => new EventReader(limit);

/** One event's fields (WHATWG HTML 9.2.6). Throws a Fault where it is no UTF-8. */
function readEvent(bytes: Uint8Array): McpEvent {
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch (error) {
    throw new Fault('TG_UPSTREAM_UNREADABLE', 'the server sent an event that is not valid UTF-8', error);
  }
  return { bytes, ...sseFields(text) };
}

/** The event's bytes with other data. */
export const eventWith = (event: McpEvent, data: string): Uint8Array =>
  encoder.encode(withData(decoder.decode(event.bytes), data));

/** A whole event of one message. */
export const messageEvent = (data: string): Uint8Array => encoder.encode(`event: message\ndata: ${data}\n\n`);

export const keepAlive = encoder.encode(': tollgate is waiting\n\n');
