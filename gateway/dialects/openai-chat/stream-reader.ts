import { isArray, isObject, member } from '../../domain/json.ts';
import type { Usage } from '../../domain/usage.ts';
import type { Frame, FrameChanges, MessageMark, Reading, StreamReader } from '../../ports/dialect.ts';
import { SseSplitter } from '../_shared/sse.ts';
import { relayedCalls } from './call-book.ts';
import { choiceNumber } from './choice.ts';
import { assistantMark, isUniqueId } from './mark.ts';
import { Meter } from './meter.ts';
import { Rewriter } from './rewriter.ts';
import { readEvent, type StreamEvent } from './stream-event.ts';
import { type ChoicePiece, type FrameContents, StreamedChoice } from './streamed-choice.ts';

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

/** Reads one streamed chat completion. */
export class ChatStreamReader implements StreamReader {
  readonly #splitter = new SseSplitter();
  readonly #meter = new Meter();
  readonly #choices = new Map<number, StreamedChoice>();
  readonly #contents = new WeakMap<Frame, FrameContents>();
  readonly #rewriter = new Rewriter();
  readonly #expected: number;
  /** the usage chunk was the gate's wish, not the client's */
  readonly #hideUsage: boolean;
  #terminal = false;
  #stated = false;
  #done = false;
  #failed = false;

  constructor(reading: Reading) {
    this.#expected = reading.bound.choices;
    this.#hideUsage = reading.preparation.length > 0;
  }

  push(chunk: Uint8Array): Frame[] {
    return this.#splitter.push(chunk).map((bytes) => this.#read(bytes));
  }

  end(): Frame[] {
    const rest = this.#splitter.end();
    const frames = rest.length === 0 ? [] : [this.#read(rest)];
    // calls and channels that the provider never closed still have to be judged
    const last = this.#close();
    if (last.completes.length > 0 || last.closes.length > 0)
      frames.push({ ...EMPTY, bytes: new Uint8Array(0), ...last });
    return frames;
  }

  rewrite(frame: Frame, changes: FrameChanges): Uint8Array {
    const contents = this.#contents.get(frame);
    return contents ? this.#rewriter.rewrite(frame, contents, changes) : frame.bytes;
  }

  usage(): Usage {
    return this.#meter.usage(this.#terminal);
  }

  servedModel(): string | undefined {
    return this.#meter.model;
  }

  finished(): boolean {
    return this.#done || this.#allFinished();
  }

  failed(): boolean {
    return this.#failed;
  }

  /** Search models run their tool inside the one prompt that usage counts. */
  providerRuns(): number {
    return 0;
  }

  outputFloor(): number {
    return this.#meter.outputFloor();
  }

  text(): string {
    return this.#inOrder()
      .map(({ text }) => text)
      .filter((text) => text !== '')
      .join('\n');
  }

  issuedIds(): readonly string[] {
    const ids = this.#inOrder().flatMap(({ book }) => book.calls.map(({ callId }) => callId));
    return [...new Set(ids.filter(isUniqueId))];
  }

  mark(): MessageMark {
    const first = this.#inOrder()[0];
    if (!first) return assistantMark('', []);
    const { denied, edited } = this.#rewriter;
    return assistantMark(first.relayed.join(''), relayedCalls(first.book.calls, denied, edited));
  }

  #read(bytes: Uint8Array): Frame {
    const event = readEvent(bytes);
    if (event.kind === 'comment') return { ...EMPTY, bytes, ping: true };
    if (event.kind === 'error') this.#failed = true;
    if (event.kind === 'done') {
      this.#done = true;
      this.#terminal ||= this.#stated;
      return { ...EMPTY, bytes, ...this.#close() };
    }
    if (event.kind === 'unknown') return { ...EMPTY, bytes };
    return this.#chunk(bytes, event);
  }

  #chunk(bytes: Uint8Array, event: StreamEvent): Frame {
    const choices = member(event.body, 'choices');
    const list = isArray(choices) ? choices : [];
    const pieces = list.map((choice, place) => this.#choice(choiceNumber(choice, place)).take(choice, place));
    const stated = this.#meter.take(event.body);
    for (const piece of pieces) {
      this.#meter.wrote(piece.dense);
      this.#meter.cite(member(member(list[piece.place], 'delta'), 'annotations'));
    }
    this.#stated ||= stated;
    // usage that comes with every chunk is final only once every choice has ended
    this.#terminal ||= stated && this.#allFinished();
    const frame: Frame = {
      bytes,
      hidden: this.#hideUsage && isArray(choices) && list.length === 0 && isObject(member(event.body, 'usage')),
      lanes: pieces.some(({ lanes }) => lanes.length === 0) ? [] : unique(pieces.flatMap(({ lanes }) => lanes)),
      texts: pieces.flatMap(textsOf),
      closes: pieces.flatMap(({ closes }) => closes),
      slots: unique(
        pieces.flatMap(({ calls, legacy }) => [...calls, ...(legacy ? [legacy] : [])].map(({ slot }) => slot)),
      ),
      completes: pieces.flatMap(({ completes }) => completes),
      finish: pieces.some(({ finish }) => finish !== undefined),
      ping: false,
    };
    this.#contents.set(frame, { event, pieces });
    return frame;
  }

  #choice(number: number): StreamedChoice {
    let choice = this.#choices.get(number);
    if (!choice) {
      choice = new StreamedChoice(number);
      this.#choices.set(number, choice);
    }
    return choice;
  }

  #inOrder(): StreamedChoice[] {
    return [...this.#choices.values()].sort((a, b) => a.number - b.number);
  }

  #allFinished(): boolean {
    if (this.#choices.size < this.#expected) return false;
    for (const choice of this.#choices.values()) if (!choice.finished) return false;
    return true;
  }

  #close(): Pick<Frame, 'completes' | 'closes'> {
    const open = this.#inOrder();
    return {
      completes: open.flatMap(({ book }) => book.finish()),
      closes: open.flatMap((choice) => choice.closeAll()),
    };
  }
}

const unique = (items: readonly string[]): string[] => (items.length < 2 ? [...items] : [...new Set(items)]);

/** One text for each channel, however many fields it is spread over. */
function textsOf({ choice, stretches }: ChoicePiece): Frame['texts'] {
  const texts = new Map<string, string>();
  for (const { kind, text } of stretches)
    texts.set(choice.channel(kind), (texts.get(choice.channel(kind)) ?? '') + text);
  return [...texts].map(([channel, text]) => ({ channel, text }));
}
