import { Fault } from '../../domain/fault.ts';
import type { McpEvent, McpEventReader } from '../../ports/mcp-wire.ts';
import { SseSplitter, sseFields, withData } from '../_shared/sse.ts';
import { EventLines } from './event-lines.ts';

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** Reads a server-sent stream one whole event at a time; every byte is in exactly one event, in `rest`, or was passed. */
export function openEvents(limit: number): McpEventReader {
  let splitter = new SseSplitter();
  let lines: EventLines | undefined;
  let pending = 0;
  return {
    push(chunk) {
      const events = splitter.push(chunk).map(readEvent);
      pending = events.reduce((left, { bytes }) => left - bytes.length, pending + chunk.length);
      const longest = events.reduce((most, { bytes }) => Math.max(most, bytes.length), pending);
      if (longest > limit)
        throw new Fault(
          'TG_UPSTREAM_UNREADABLE',
          `the server sent an event larger than ${limit} bytes; raise \`mcp.limits.message_mb\``,
        );
      return events;
    },
    rest: () => splitter.end(),
    get pending() {
      return pending;
    },
    unfinished() {
      const bytes = splitter.end().slice();
      splitter = new SseSplitter();
      pending = 0;
      lines = new EventLines();
      return bytes;
    },
    pass(chunk) {
      lines ??= new EventLines();
      const passed = lines.push(chunk);
      if (passed.after) lines = undefined;
      return passed;
    },
  };
}

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
