import { asString, isArray, type Json, member } from '../../domain/json.ts';
import type { ProposedCall } from '../../ports/dialect.ts';
import { denseBytes } from '../_shared/least-tokens.ts';
import { CallBook, type OpenCall } from './call-book.ts';
import { isVisible, type Stretch, stretches } from './choice.ts';
import type { StreamEvent } from './stream-event.ts';

/** What one chunk adds to one choice. */
export interface ChoicePiece {
  readonly choice: StreamedChoice;
  /** place in the chunk's `choices` */
  readonly place: number;
  readonly stretches: readonly Stretch[];
  /** the call of each element of `tool_calls` */
  readonly calls: readonly OpenCall[];
  readonly legacy: OpenCall | undefined;
  readonly finish: string | undefined;
  readonly completes: readonly ProposedCall[];
  /** channels that end here */
  readonly closes: readonly string[];
  readonly lanes: readonly string[];
  /** where its visible text stands in `relayed` */
  readonly said: number | undefined;
  /** dense bytes of what the model wrote in it (least-tokens.ts) */
  readonly dense: number;
}

/** What a frame was read as, kept for as long as somebody holds the frame. */
export interface FrameContents {
  readonly event: StreamEvent;
  readonly pieces: readonly ChoicePiece[];
}

/** One choice of a streamed reply, as far as it has come. */
export class StreamedChoice {
  readonly number: number;
  readonly book: CallBook;
  finished = false;
  /** all visible text as the provider sent it */
  text = '';
  /** visible text in the order it was relayed; what is rewritten moves to the end, where it was sent */
  readonly relayed: string[] = [];
  readonly #open = new Set<string>();

  constructor(number: number) {
    this.number = number;
    this.book = new CallBook(number);
  }

  channel(kind: Stretch['kind']): string {
    return `${this.number}/${kind}`;
  }

  /** Takes one element of a chunk's `choices`. */
  take(choice: Json, place: number): ChoicePiece {
    const delta = member(choice, 'delta');
    const found = stretches(delta);
    const pieces = member(delta, 'tool_calls');
    const list = isArray(pieces) ? pieces : [];
    const before = this.book.calls.length;
    const calls = list.map((piece) => this.book.add(piece));
    const functionDelta = member(delta, 'function_call') ?? null;
    const legacy = functionDelta === null ? undefined : this.book.addLegacy(functionDelta);
    const touched = legacy ? [...calls, legacy] : calls;
    const finish = asString(member(choice, 'finish_reason')) || undefined;
    const begun = this.book.calls.length > before;
    const completes = finish !== undefined ? this.book.finish() : begun ? this.book.overtaken(touched) : [];
    if (finish !== undefined) this.finished = true;
    const closes = this.#closes(found, touched.length > 0, finish !== undefined);
    const lanes = this.#lanes(found, touched, closes, finish !== undefined);
    const said = this.#say(found.filter(isVisible));
    const written = [
      ...found.map(({ text }) => text),
      ...list.map(callText),
      ...(legacy ? [bodyText(functionDelta)] : []),
    ];
    const dense = written.reduce((sum, text) => sum + denseBytes(text), 0);
    return { choice: this, place, stretches: found, calls, legacy, finish, completes, closes, lanes, said, dense };
  }

  /** Channels that are still open at the stream's end. */
  closeAll(): string[] {
    const open = [...this.#open];
    this.#open.clear();
    return open;
  }

  #say(visible: readonly Stretch[]): number | undefined {
    if (visible.length === 0) return undefined;
    const text = visible.map((stretch) => stretch.text).join('');
    this.text += text;
    return this.relayed.push(text) - 1;
  }

  /** Reasoning ends where the answer begins; the other channels end with the choice. */
  #closes(found: readonly Stretch[], called: boolean, finish: boolean): string[] {
    const here = new Set(found.map(({ kind }) => this.channel(kind)));
    for (const channel of here) this.#open.add(channel);
    if (finish) return this.closeAll();
    const reasoning = this.channel('reasoning');
    if (!this.#open.has(reasoning) || here.has(reasoning) || (here.size === 0 && !called)) return [];
    this.#open.delete(reasoning);
    return [reasoning];
  }

  #lanes(
    found: readonly Stretch[],
    touched: readonly OpenCall[],
    closes: readonly string[],
    finish: boolean,
  ): string[] {
    if (finish) {
      // with contents of its own it belongs behind everything of this choice; without any it is a barrier
      const contents = found.length > 0 || touched.length > 0;
      return contents ? [...closes, this.channel('text'), ...this.book.calls.map(({ slot }) => slot)] : [];
    }
    const lanes = [...closes, ...found.map(({ kind }) => this.channel(kind))];
    const last = touched.map((call) => this.book.calls.indexOf(call)).reduce((a, b) => Math.max(a, b), -1);
    const latest = this.book.calls[last];
    if (latest) lanes.push(...this.book.lanes(latest));
    return lanes.length === 0 ? [this.channel('text')] : [...new Set(lanes)];
  }
}

const callText = (piece: Json): string => bodyText(member(piece, 'custom') ?? member(piece, 'function') ?? null);

const bodyText = (body: Json): string =>
  ['name', 'arguments', 'input'].map((name) => asString(member(body, name)) ?? '').join('');
