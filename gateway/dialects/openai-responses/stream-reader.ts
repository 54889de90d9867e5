import { member } from '../../domain/json.ts';
import type { Usage } from '../../domain/usage.ts';
import type { Deferred, Frame, FrameChanges, MessageMark, Reading, StreamReader } from '../../ports/dialect.ts';
import { SseSplitter } from '../_shared/sse.ts';
import { assistantMark } from '../openai-chat/mark.ts';
import { issuedIds, laterUnder } from './read-reply.ts';
import { Rewriter } from './rewriter.ts';
import { readEvent, type StreamEvent } from './stream-event.ts';
import type { StreamedItem } from './streamed-item.ts';
import { type Contents, type EventParts, StreamedResponse } from './streamed-response.ts';
import { imageModel } from './usage.ts';

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
const UNREAD: EventParts = { contents: { role: 'other', places: [], outputs: [] }, frame: {} };

const encoder = new TextEncoder();

interface Noted {
  readonly event: StreamEvent;
  readonly contents: Contents;
}

/** Reads a streamed response; several in a row, as one socket carries them, are read as several. */
export class ResponseStreamReader implements StreamReader {
  readonly #splitter = new SseSplitter();
  readonly #rewriter = new Rewriter();
  readonly #responses: StreamedResponse[] = [];
  readonly #notes = new WeakMap<Frame, Noted>();
  readonly #imageModel: string | undefined;
  readonly #background: boolean;
  #failed = false;

  constructor(reading: Reading) {
    this.#imageModel = imageModel(reading.doc.value);
    this.#background = member(reading.doc.value, 'background') === true;
  }

  push(chunk: Uint8Array): Frame[] {
    return this.#splitter.push(chunk).map((bytes) => this.#frame(bytes));
  }

  end(): Frame[] {
    const rest = this.#splitter.end();
    const frames = rest.length === 0 ? [] : [this.#frame(rest)];
    // calls and channels that the provider never closed still have to be judged
    const left = this.#responses.map((response) => response.endItems());
    const completes = left.flatMap((open) => open.completes);
    const closes = left.flatMap((open) => open.closes);
    if (completes.length > 0 || closes.length > 0)
      frames.push({ ...EMPTY, bytes: new Uint8Array(0), completes, closes });
    return frames;
  }

  /** Throws a RangeError where a change cannot land: what cannot be read may repeat what must not be sent. */
  rewrite(frame: Frame, changes: FrameChanges): Uint8Array {
    const noted = this.#notes.get(frame);
    if (!noted) return frame.bytes;
    const { event, contents } = noted;
    this.#remember(changes);
    if (event.data !== undefined && event.body === undefined && event.data.trim() !== '[DONE]')
      throw new RangeError(`the event \`${event.type}\` cannot be edited: its data is no JSON object`);
    const text = this.#rewriter.rewrite(event, contents, changes.texts);
    return text === event.text ? frame.bytes : encoder.encode(text);
  }

  usage(): Usage {
    const usages = this.#responses.map((response) => response.usage());
    const reported = usages.flatMap((usage) => usage.reported ?? []);
    const exact = usages.length > 0 && usages.every(({ certainty }) => certainty === 'exact');
    return {
      entries: usages.length === 0 ? [{ leaves: { output: 0 } }] : usages.flatMap(({ entries }) => entries),
      certainty: exact ? 'exact' : 'floor',
      ...(usages.some(({ estimated }) => estimated) && { estimated: true }),
      ...(exact && reported.length === 1 && usages.length === 1 && { reported: reported[0] }),
    };
  }

  servedModel(): string | undefined {
    return this.#responses.findLast(({ meter }) => meter.model !== undefined)?.meter.model;
  }

  finished(): boolean {
    const ending = this.#responses.at(-1)?.ending;
    return ending !== undefined && ending !== 'failed';
  }

  failed(): boolean {
    return this.#failed || this.#responses.at(-1)?.ending === 'failed';
  }

  deferred(): Deferred | undefined {
    return this.#background && !this.failed() ? laterUnder(this.#responses.at(-1)?.id ?? '') : undefined;
  }

  outputFloor(): number {
    return this.#responses.reduce((sum, response) => sum + response.outputFloor, 0);
  }

  providerRuns(): number {
    return this.#responses.reduce((sum, response) => sum + response.providerRuns, 0);
  }

  text(): string {
    return this.#inOrder()
      .flatMap((item) => item.visible(false))
      .filter((text) => text !== '')
      .join('\n');
  }

  issuedIds(): readonly string[] {
    return this.#responses.flatMap(({ id, items }) =>
      issuedIds(
        id,
        items.map(({ item }) => item),
      ),
    );
  }

  mark(): MessageMark {
    const items = this.#inOrder();
    return assistantMark(
      items.flatMap((item) => item.visible(true)).join(''),
      items.flatMap((item) => item.marked() ?? []),
    );
  }

  #inOrder(): StreamedItem[] {
    return this.#responses.flatMap(({ items }) => items.toSorted((a, b) => a.index - b.index));
  }

  #remember({ denied, edited }: FrameChanges): void {
    for (const { calls } of this.#responses)
      for (const call of calls) {
        call.denied = denied.get(call.slot) ?? call.denied;
        const args = edited.get(call.slot);
        if (args !== undefined) call.edited = { args };
      }
  }

  #frame(bytes: Uint8Array): Frame {
    const event = readEvent(bytes);
    const { contents, frame: parts } = this.#read(event);
    const ping = event.data === undefined || event.type === 'keepalive';
    const frame: Frame = { ...EMPTY, bytes, ping, ...parts };
    this.#notes.set(frame, { event, contents });
    return frame;
  }

  #read({ type, body, data }: StreamEvent): EventParts {
    if (type === 'error' || (body?.['error'] ?? null) !== null) {
      this.#failed = true;
      return { contents: UNREAD.contents, frame: { closes: this.#responses.flatMap((one) => one.endItems().closes) } };
    }
    if (data === undefined) return UNREAD;
    if (body === undefined) return this.#responses.at(-1)?.endUnread(type) ?? UNREAD;
    return type.startsWith('response.') ? this.#current(type).read(type, body) : UNREAD;
  }

  /** The response an event belongs to: `response.created` after an ending begins a further one. */
  #current(type: string): StreamedResponse {
    const last = this.#responses.at(-1);
    if (last && !(last.ending !== undefined && /^response\.(?:created|queued)$/.test(type))) return last;
    const next = new StreamedResponse(this.#responses.length, this.#imageModel);
    this.#responses.push(next);
    return next;
  }
}
