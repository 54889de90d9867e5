import type { JsonObject } from '../../domain/json.ts';
import type { Usage } from '../../domain/usage.ts';
import type { Frame, MessageMark, StreamReader } from '../../ports/dialect.ts';
import { objectIn } from './object-in.ts';
import { SseSplitter, sseFields } from './sse.ts';

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
export class QuietStreamReader implements StreamReader {
  readonly #splitter = new SseSplitter();
  readonly #decoder = new TextDecoder();
  readonly #tell: (body: JsonObject) => QuietEvent;
  readonly #mark: MessageMark;
  #usage = UNKNOWN;
  #over = false;
  #failed = false;

  constructor(tell: (body: JsonObject) => QuietEvent, mark: MessageMark) {
    this.#tell = tell;
    this.#mark = mark;
  }

  push(chunk: Uint8Array): Frame[] {
    return this.#splitter.push(chunk).map((bytes) => this.#frame(bytes));
  }

  end(): Frame[] {
    const rest = this.#splitter.end();
    return rest.length === 0 ? [] : [this.#frame(rest)];
  }

  rewrite(frame: Frame): Uint8Array {
    return frame.bytes;
  }

  usage(): Usage {
    return this.#usage;
  }

  servedModel(): string | undefined {
    return this.#usage.entries[0]?.model;
  }

  finished(): boolean {
    return this.#over;
  }

  failed(): boolean {
    return this.#failed;
  }

  outputFloor(): number {
    return 0;
  }

  providerRuns(): number {
    return 0;
  }

  text(): string {
    return '';
  }

  issuedIds(): readonly string[] {
    return [];
  }

  mark(): MessageMark {
    return this.#mark;
  }

  #frame(bytes: Uint8Array): Frame {
    const { event, data } = sseFields(this.#decoder.decode(bytes));
    const body = data === undefined ? undefined : objectIn(data);
    const told = body ? this.#tell(body) : {};
    this.#usage = told.usage ?? this.#usage;
    this.#over ||= told.over === true;
    this.#failed ||= told.failed === true || event === 'error';
    const rest = { hidden: false, lanes: [], texts: [], closes: [], slots: [], completes: [] };
    return { bytes, ...rest, finish: told.over === true, ping: data === undefined };
  }
}
