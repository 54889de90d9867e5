import type { JsonObject } from '../../domain/json.ts';
import type { Usage } from '../../domain/usage.ts';
import type { Frame, MessageMark } from '../../ports/dialect.ts';
import { objectIn } from './object-in.ts';
import { SseSplitter, sseFields } from './sse.ts';
import { WordlessReader } from './wordless-reader.ts';

/** What one event tells of the whole. */
export interface QuietEvent {
  /** as far as it is known now */
  readonly usage?: Usage | undefined;
  /** nothing more can follow */
  readonly over?: boolean;
  readonly failed?: boolean;
}

const UNKNOWN: Usage = { entries: [{ leaves: { output: 0 } }], certainty: 'floor' };

/** Reads a stream that carries neither text nor tool calls (sounds, images): metered and passed on as it is. */
export class QuietStreamReader extends WordlessReader {
  readonly #splitter = new SseSplitter();
  readonly #decoder = new TextDecoder();
  readonly #tell: (body: JsonObject) => QuietEvent;
  #usage = UNKNOWN;
  #failed = false;

  constructor(tell: (body: JsonObject) => QuietEvent, mark: MessageMark) {
    super(mark);
    this.#tell = tell;
  }

  push(chunk: Uint8Array): Frame[] {
    return this.#splitter.push(chunk).map((bytes) => this.#frame(bytes));
  }

  end(): Frame[] {
    const rest = this.#splitter.end();
    return rest.length === 0 ? [] : [this.#frame(rest)];
  }

  usage(): Usage {
    return this.#usage;
  }

  override servedModel(): string | undefined {
    return this.#usage.entries[0]?.model;
  }

  override failed(): boolean {
    return this.#failed;
  }

  #frame(bytes: Uint8Array): Frame {
    const { event, data } = sseFields(this.#decoder.decode(bytes));
    const body = data === undefined ? undefined : objectIn(data);
    const told = body ? this.#tell(body) : {};
    this.#usage = told.usage ?? this.#usage;
    this.over ||= told.over === true;
    this.#failed ||= told.failed === true || event === 'error';
    return this.quiet(bytes, told.over === true, data === undefined);
  }
}
