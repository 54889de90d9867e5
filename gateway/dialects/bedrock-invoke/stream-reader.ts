import { asString, type Json, member } from '../../domain/json.ts';
import type { Usage } from '../../domain/usage.ts';
import type { Frame, FrameChanges, MessageMark, Reading, StreamReader } from '../../ports/dialect.ts';
import {
  type EventMessage,
  EventStreamSplitter,
  eventMessage,
  headerBytes,
  stringHeaders,
} from '../_shared/event-stream.ts';
import { SseSplitter, sseFields } from '../_shared/sse.ts';
import { anthropicMessages } from '../anthropic-messages.ts';
import { decodeBase64, encodeBase64 } from './base64.ts';
import { regional } from './regional.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const BARRIER: Omit<Frame, 'bytes'> = {
  hidden: false,
  lanes: [],
  texts: [],
  closes: [],
  slots: [],
  completes: [],
  finish: false,
  ping: false,
};
const CHUNK = headerBytes({ ':event-type': 'chunk', ':content-type': 'application/json', ':message-type': 'event' });

/** What an outer message holds: the inner event's frame, and the headers to send it under. */
interface Wrapped {
  readonly inner: Frame;
  readonly headers: Uint8Array;
}

/** Reads native events in their wrapping: each binary message holds one event in base64, which the native reader reads. */
export class InvokeStreamReader implements StreamReader {
  readonly #splitter = new EventStreamSplitter();
  readonly #native: StreamReader;
  readonly #reading: Reading;
  readonly #wrapped = new WeakMap<Frame, Wrapped>();
  #failed = false;

  constructor(reading: Reading) {
    this.#reading = reading;
    this.#native = anthropicMessages.openStream(reading);
  }

  push(chunk: Uint8Array): Frame[] {
    return this.#splitter.push(chunk).map((message) => this.#read(message));
  }

  end(): Frame[] {
    const rest = this.#splitter.end();
    const last = this.#native.end().map((frame) => ({ ...frame, bytes: new Uint8Array(0) }));
    return rest.length === 0 ? last : [{ ...BARRIER, bytes: rest }, ...last];
  }

  rewrite(frame: Frame, changes: FrameChanges): Uint8Array {
    const wrapped = this.#wrapped.get(frame);
    if (!wrapped) return frame.bytes;
    const bytes = this.#native.rewrite(wrapped.inner, changes);
    if (bytes === wrapped.inner.bytes) return frame.bytes;
    const messages = new SseSplitter().push(bytes).map((event) => {
      const { data = '' } = sseFields(decoder.decode(event));
      const payload = JSON.stringify({ bytes: encodeBase64(encoder.encode(data)) });
      return eventMessage(wrapped.headers, encoder.encode(payload));
    });
    return joined(messages);
  }

  usage(): Usage {
    return regional(this.#native.usage(), this.#reading);
  }

  servedModel(): string | undefined {
    return this.#native.servedModel();
  }

  finished(): boolean {
    return this.#native.finished();
  }

  failed(): boolean {
    return this.#failed || this.#native.failed();
  }

  outputFloor(): number {
    return this.#native.outputFloor();
  }

  providerRuns(): number {
    return this.#native.providerRuns();
  }

  text(): string {
    return this.#native.text();
  }

  issuedIds(): readonly string[] {
    return this.#native.issuedIds();
  }

  mark(): MessageMark {
    return this.#native.mark();
  }

  #read({ bytes, headers, payload }: EventMessage): Frame {
    const named = stringHeaders(headers);
    if (named.get(':message-type') !== 'event') {
      this.#failed = true;
      return { ...BARRIER, bytes };
    }
    const event = named.get(':event-type') === 'chunk' ? nativeEvent(payload) : undefined;
    const [inner] = event === undefined ? [] : this.#native.push(event);
    if (!inner) return { ...BARRIER, bytes };
    const frame: Frame = { ...inner, bytes };
    this.#wrapped.set(frame, { inner, headers: headers.length === 0 ? CHUNK : headers.slice() });
    return frame;
  }
}

/** The event inside, as the native stream would spell it; undefined where there is none. */
function nativeEvent(payload: Uint8Array): Uint8Array | undefined {
  const body = parsed(decoder.decode(payload));
  const bytes = asString(member(body, 'bytes'));
  const data = bytes === undefined ? undefined : decodeBase64(bytes);
  const text = data && decoder.decode(data);
  const event = text === undefined ? undefined : parsed(text);
  if (text === undefined || event === undefined) return undefined;
  const line = /[\r\n]/.test(text) ? JSON.stringify(event) : text;
  return encoder.encode(`event: ${asString(member(event, 'type')) ?? 'unknown'}\ndata: ${line}\n\n`);
}

function parsed(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    out.set(piece, at);
    at += piece.length;
  }
  return out;
}
