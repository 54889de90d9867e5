import { isObject, type Json } from '../../domain/json.ts';
import { spliceAll } from '../../domain/json-splice.ts';
import type { Usage } from '../../domain/usage.ts';
import type { Frame, FrameChanges, MessageMark, Reading, Saying, StreamReader } from '../../ports/dialect.ts';
import { relayedCalls } from './call-book.ts';
import { Candidate, type CandidatePiece, candidateNumber } from './candidate.ts';
import { elements, pick } from './field.ts';
import { type Framing, framingFor } from './framing.ts';
import { modelMark } from './mark.ts';
import { Meter } from './meter.ts';
import type { TextKind } from './part.ts';
import { PartEdits } from './part-edits.ts';
import { isBlocked, issuedIds } from './reply.ts';
import { errorElement, errorEvents } from './saying.ts';
import { groundingOf } from './server-tools.ts';
import { readEvent, type StreamEvent, withOther } from './stream-event.ts';

/** Every record keeps its place: the order of parts is part of what the model said. */
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

interface Contents {
  readonly event: StreamEvent;
  readonly pieces: readonly CandidatePiece[];
  /** how many records came before it */
  readonly place: number;
}

/** Reads one streamed reply, as events or as an array. */
export class GeminiStreamReader implements StreamReader {
  readonly #meter: Meter;
  readonly #expected: number;
  readonly #candidates = new Map<number, Candidate>();
  readonly #contents = new WeakMap<Frame, Contents>();
  readonly #edits = new PartEdits();
  readonly #open = new Set<string>();
  #framing: Framing | undefined;
  #lead: Uint8Array = new Uint8Array(0);
  #place = 0;
  #changed = false;
  #anySent = false;
  #runs = 0;
  #terminal = false;
  #blocked = false;
  #failed = false;

  constructor(reading: Reading) {
    this.#meter = new Meter(reading);
    this.#expected = reading.bound.choices;
  }

  push(chunk: Uint8Array): Frame[] {
    let bytes = chunk;
    if (!this.#framing) {
      bytes = this.#lead.length === 0 ? chunk : new Uint8Array([...this.#lead, ...chunk]);
      this.#framing = framingFor(bytes);
      this.#lead = this.#framing ? new Uint8Array(0) : bytes;
    }
    return (this.#framing?.push(bytes) ?? []).map((record) => this.#read(record));
  }

  end(): Frame[] {
    const rest = this.#framing?.end() ?? this.#lead;
    const frames = rest.length === 0 ? [] : [this.#read(rest)];
    // calls and channels that the provider never closed still have to be judged
    const completes = this.#inOrder().flatMap(({ book }) => book.finish());
    const closes = [...this.#open];
    this.#open.clear();
    if (completes.length > 0 || closes.length > 0)
      frames.push({ ...EMPTY, bytes: new Uint8Array(0), completes, closes });
    return frames;
  }

  rewrite(frame: Frame, changes: FrameChanges): Uint8Array {
    const contents = this.#contents.get(frame);
    if (!contents) return frame.bytes;
    if (!this.#changed) this.#settle(contents.place);
    for (const [slot, text] of changes.denied) this.#edits.denied.set(slot, text);
    for (const [slot, args] of changes.edited) this.#edits.edited.set(slot, args);
    const { event, pieces } = contents;
    const edits = pieces.map((piece) => this.#edits.edit(event.body, piece, changes.texts));
    const isElement = event.framing === 'array' && event.kind !== 'bracket' && event.kind !== 'comment';
    if (edits.length > 0 && edits.every(({ emptied }) => emptied) && !isBlocked(event.body)) return new Uint8Array(0);
    const splices = edits.flatMap((one) => one.splices);
    const first = isElement && !this.#anySent;
    if (isElement) this.#anySent = true;
    if (splices.length === 0 && !(first && contents.place > 0)) return frame.bytes;
    return withOther(event, spliceAll(event.data, splices), first);
  }

  usage(): Usage {
    return this.#meter.usage(this.#terminal);
  }

  servedModel(): string | undefined {
    return this.#meter.model;
  }

  finished(): boolean {
    if (this.#blocked) return true;
    if (this.#candidates.size < this.#expected) return false;
    return this.#inOrder().every(({ finished }) => finished);
  }

  failed(): boolean {
    return this.#failed;
  }

  outputFloor(): number {
    return this.#meter.outputFloor();
  }

  providerRuns(): number {
    return this.#runs + this.#meter.searches;
  }

  text(): string {
    return this.#inOrder()
      .map(({ text }) => text)
      .filter((text) => text !== '')
      .join('\n');
  }

  issuedIds(): readonly string[] {
    return issuedIds(this.#inOrder());
  }

  mark(): MessageMark {
    const first = this.#inOrder()[0];
    if (!first) return modelMark('', []);
    return modelMark(first.relayed, relayedCalls(first.book.calls, this.#edits.denied, this.#edits.edited));
  }

  errorEvents(saying: Saying, sent: Uint8Array | undefined): Uint8Array {
    return this.#framing?.kind === 'array' ? errorElement(saying, sent) : errorEvents(saying);
  }

  /** The first change: every record before it went out as it came. */
  #settle(place: number): void {
    this.#changed = true;
    this.#anySent = place > 0;
    for (const candidate of this.#candidates.values()) this.#edits.passed(candidate, place);
  }

  #read(bytes: Uint8Array): Frame {
    const event = readEvent(bytes, this.#framing?.kind ?? 'sse');
    if (event.kind === 'comment') return { ...EMPTY, bytes, ping: true };
    const frame = event.kind === 'chunk' ? this.#chunk(bytes, event) : { ...EMPTY, bytes };
    if (event.kind === 'error') this.#failed = true;
    if (event.kind === 'bracket') return frame;
    if (!this.#contents.has(frame)) this.#contents.set(frame, { event, pieces: [], place: this.#place });
    this.#place += 1;
    return frame;
  }

  #chunk(bytes: Uint8Array, event: StreamEvent): Frame {
    const list = pick(event.body, 'candidates');
    const pieces = elements(list?.value, `/${list?.name}`).map(({ at, value }, place) => this.#take(value, at, place));
    const stated = this.#meter.take(event.body);
    this.#blocked ||= isBlocked(event.body);
    // cumulative counts are final once every candidate has ended
    this.#terminal ||= stated && this.finished();
    const frame: Frame = {
      ...EMPTY,
      bytes,
      texts: textsOf(pieces),
      closes: this.#closes(pieces),
      slots: [...new Set(pieces.flatMap(({ parts }) => parts.flatMap(({ call }) => (call ? [call.slot] : []))))],
      completes: pieces.flatMap(({ completes }) => completes),
      finish: pieces.some(({ finish }) => finish),
    };
    this.#contents.set(frame, { event, pieces, place: this.#place });
    return frame;
  }

  #take(element: Json, at: string, place: number): CandidatePiece {
    const number = candidateNumber(element, place);
    let candidate = this.#candidates.get(number);
    if (!candidate) {
      candidate = new Candidate(number);
      this.#candidates.set(number, candidate);
    }
    const piece = candidate.take(isObject(element) ? element : {}, at, this.#place);
    this.#runs += piece.runs;
    this.#meter.wrote(piece.dense);
    this.#meter.ground(number, groundingOf(element));
    return piece;
  }

  /** Thoughts end where something else begins; the other channels end with the candidate. */
  #closes(pieces: readonly CandidatePiece[]): string[] {
    const closed: string[] = [];
    const close = (channel: string): void => {
      if (this.#open.delete(channel)) closed.push(channel);
    };
    for (const { candidate, parts, finish } of pieces) {
      const kinds = new Set(parts.flatMap(({ text }) => (text && text.text !== '' ? [text.kind] : [])));
      for (const kind of kinds) this.#open.add(candidate.channel(kind));
      if (!kinds.has('thought') && parts.length > 0) close(candidate.channel('thought'));
      if (finish) for (const kind of KINDS) close(candidate.channel(kind));
    }
    return closed;
  }

  #inOrder(): Candidate[] {
    return [...this.#candidates.values()].sort((a, b) => a.number - b.number);
  }
}

const KINDS: readonly TextKind[] = ['thought', 'text', 'code', 'result'];

/** One text for each channel, however many parts it is spread over. */
function textsOf(pieces: readonly CandidatePiece[]): Frame['texts'] {
  const texts = new Map<string, string>();
  for (const { candidate, parts } of pieces) {
    for (const { text } of parts) {
      if (text === undefined || text.text === '') continue;
      const channel = candidate.channel(text.kind);
      texts.set(channel, (texts.get(channel) ?? '') + text.text);
    }
  }
  return [...texts].map(([channel, text]) => ({ channel, text }));
}
