import type { Usage } from '../../domain/usage.ts';
import type { Frame, FrameChanges, MessageMark, Reading, StreamReader } from '../../ports/dialect.ts';
import { asEvent, MESSAGE_SEPARATOR, messagesIn } from '../_shared/socket-text.ts';
import { ResponseStreamReader } from './stream-reader.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** How messages of a socket differ from the events of a stream. */
export interface Translation {
  /** the message as a stream would say it */
  readonly read: (message: string) => string;
  /** a message that an edit made of `original`, or that takes its place, as the socket says it */
  readonly write: (message: string, original: string) => string;
}

/** Reads one response as a socket carries it: its messages are the data of the stream's events. */
export class ResponseSocketReader implements StreamReader {
  readonly #inner: ResponseStreamReader;
  readonly #translation: Translation;
  readonly #frames = new WeakMap<Frame, { readonly inner: Frame; readonly message: string }>();

  constructor(reading: Reading, translation: Translation) {
    this.#inner = new ResponseStreamReader(reading);
    this.#translation = translation;
  }

  push(chunk: Uint8Array): Frame[] {
    const message = decoder.decode(chunk);
    return this.#inner.push(encoder.encode(asEvent(this.#translation.read(message)))).map((inner) => {
      const frame = { ...inner, bytes: chunk };
      this.#frames.set(frame, { inner, message });
      return frame;
    });
  }

  end(): Frame[] {
    return this.#inner.end();
  }

  rewrite(frame: Frame, changes: FrameChanges): Uint8Array {
    const known = this.#frames.get(frame);
    if (!known) return frame.bytes;
    const bytes = this.#inner.rewrite(known.inner, changes);
    if (bytes === known.inner.bytes) return frame.bytes;
    const messages = messagesIn(decoder.decode(bytes)).map((one) => this.#translation.write(one, known.message));
    return encoder.encode(messages.join(MESSAGE_SEPARATOR));
  }

  usage(): Usage {
    return this.#inner.usage();
  }

  servedModel(): string | undefined {
    return this.#inner.servedModel();
  }

  finished(): boolean {
    return this.#inner.finished();
  }

  failed(): boolean {
    return this.#inner.failed();
  }

  outputFloor(): number {
    return this.#inner.outputFloor();
  }

  providerRuns(): number {
    return this.#inner.providerRuns();
  }

  text(): string {
    return this.#inner.text();
  }

  issuedIds(): readonly string[] {
    return this.#inner.issuedIds();
  }

  mark(): MessageMark {
    return this.#inner.mark();
  }
}
