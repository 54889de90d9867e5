import { asString, isObject, type JsonObject } from '../../domain/json.ts';
import { type Splice, spliceAll } from '../../domain/json-splice.ts';
import type { Usage } from '../../domain/usage.ts';
import type { Frame, FrameChanges, MessageMark, Reading, StreamReader } from '../../ports/dialect.ts';
import { denseBytes, leastTokens } from '../_shared/least-tokens.ts';
import { objectIn } from '../_shared/object-in.ts';
import { NO_MARK } from '../_shared/plain-dialect.ts';
import { SseSplitter, sseFields } from '../_shared/sse.ts';
import { transcriptUsage } from './transcription.ts';

const WHOLE = 'transcript';
const EMPTY: Omit<Frame, 'bytes'> = {
  hidden: false,
  lanes: [],
  texts: [],
  closes: [],
  slots: [],
  completes: [],
  finish: false,
  ping: false,
};

/** What an event was read as. */
interface Noted {
  readonly data: string;
  readonly body: JsonObject;
  readonly kind: 'delta' | 'segment' | 'done';
  readonly channel: string;
  readonly text: string;
  /** all deltas before it */
  readonly before: string;
}

const encoder = new TextEncoder();

/** Reads a streamed transcript: pieces of text, segments that repeat them by speaker, and a last event with all of it and the usage. */
export class TranscriptReader implements StreamReader {
  readonly #splitter = new SseSplitter();
  readonly #decoder = new TextDecoder();
  readonly #notes = new WeakMap<Frame, Noted>();
  readonly #model: string;
  #usage: Usage | undefined;
  #text = '';
  /** what was sent so far, once something was changed */
  #sent: string | undefined;
  #failed = false;

  constructor({ model }: Reading) {
    this.#model = model;
  }

  push(chunk: Uint8Array): Frame[] {
    return this.#splitter.push(chunk).map((bytes) => this.#frame(bytes));
  }

  end(): Frame[] {
    const rest = this.#splitter.end();
    return rest.length === 0 ? [] : [this.#frame(rest)];
  }

  rewrite(frame: Frame, { texts }: FrameChanges): Uint8Array {
    const noted = this.#notes.get(frame);
    if (!noted) return frame.bytes;
    this.#sent ??= noted.before;
    const text = noted.kind === 'done' ? this.#sent : (texts.get(noted.channel) ?? noted.text);
    if (noted.kind === 'delta') this.#sent += text;
    if (text === noted.text) return frame.bytes;
    const splices: Splice[] = [{ at: noted.kind === 'delta' ? '/delta' : '/text', json: JSON.stringify(text) }];
    // probabilities spell the words out again
    if ('logprobs' in noted.body) splices.push({ at: '/logprobs', remove: true });
    return encoder.encode(`data: ${spliceAll(noted.data, splices)}\n\n`);
  }

  usage(): Usage {
    return (
      this.#usage ?? { entries: [{ model: this.#model, leaves: { output: this.outputFloor() } }], certainty: 'floor' }
    );
  }

  servedModel(): undefined {
    return undefined;
  }

  finished(): boolean {
    return this.#usage !== undefined;
  }

  failed(): boolean {
    return this.#failed;
  }

  outputFloor(): number {
    return leastTokens(denseBytes(this.#text));
  }

  providerRuns(): number {
    return 0;
  }

  text(): string {
    return this.#text;
  }

  issuedIds(): readonly string[] {
    return [];
  }

  mark(): MessageMark {
    return NO_MARK;
  }

  #frame(bytes: Uint8Array): Frame {
    const { event, data } = sseFields(this.#decoder.decode(bytes));
    const body = data === undefined ? undefined : objectIn(data);
    if (data === undefined || body === undefined) return { ...EMPTY, bytes, ping: data === undefined };
    this.#failed ||= event === 'error' || body['type'] === 'error' || isObject(body['error']);
    const noted = this.#read(data, body);
    if (!noted) return { ...EMPTY, bytes };
    const { kind, channel, text } = noted;
    const frame: Frame = {
      ...EMPTY,
      bytes,
      // a barrier: nothing may overtake the end
      lanes: kind === 'done' ? [] : [channel],
      texts: kind === 'done' || text === '' ? [] : [{ channel, text }],
      closes: kind === 'delta' ? [] : [channel],
      finish: kind === 'done',
    };
    this.#notes.set(frame, noted);
    return frame;
  }

  #read(data: string, body: JsonObject): Noted | undefined {
    const before = this.#text;
    switch (body['type']) {
      case 'transcript.text.delta': {
        const text = asString(body['delta']) ?? '';
        this.#text += text;
        return { data, body, kind: 'delta', channel: WHOLE, text, before };
      }
      case 'transcript.text.segment':
        return {
          data,
          body,
          kind: 'segment',
          channel: `segment ${String(body['id'])}`,
          text: asString(body['text']) ?? '',
          before,
        };
      case 'transcript.text.done': {
        const text = asString(body['text']) ?? '';
        this.#usage = transcriptUsage(body, this.#model);
        return { data, body, kind: 'done', channel: WHOLE, text, before };
      }
      default:
        return undefined;
    }
  }
}
