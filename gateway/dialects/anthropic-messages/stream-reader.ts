import { asCount, asString, isObject, type Json, member } from '../../domain/json.ts';
import type { Usage } from '../../domain/usage.ts';
import type { Frame, FrameChanges, MessageMark, Reading, StreamReader } from '../../ports/dialect.ts';
import { SseSplitter, sseFields } from '../_shared/sse.ts';
import { blockType } from './block.ts';
import { markOf } from './mark.ts';
import { type EventFrame, rewriteFrame } from './rewrite-frame.ts';
import type { StreamedBlock } from './streamed-block.ts';
import { type FrameParts, StreamedMessage } from './streamed-message.ts';

/**
 * Reads the events of a streamed message (https://platform.claude.com/docs/en/build-with-claude/streaming). One stream may hold
 * several messages in a row; each is a reply of its own and its usage adds.
 */
export class MessageStreamReader implements StreamReader {
  readonly #cacheWrite: Reading['bound']['cacheWrite'];
  readonly #splitter = new SseSplitter();
  readonly #decoder = new TextDecoder();
  readonly #messages: StreamedMessage[] = [];
  readonly #calls = new Map<string, StreamedBlock>();
  #failed = false;
  #ended = false;

  constructor(reading: Reading) {
    this.#cacheWrite = reading.bound.cacheWrite;
  }

  push(chunk: Uint8Array): Frame[] {
    return this.#splitter.push(chunk).map((bytes) => this.#frame(bytes));
  }

  end(): Frame[] {
    this.#ended = true;
    const rest = this.#splitter.end();
    if (rest.length === 0) return [];
    const frame = this.#frame(rest);
    return [{ ...frame, closes: [...frame.closes, ...this.#openTexts()] }];
  }

  rewrite(frame: Frame, changes: FrameChanges): Uint8Array {
    for (const [slot, text] of changes.denied) this.#call(slot).denied = text;
    for (const [slot, args] of changes.edited) this.#call(slot).edited = { args };
    return rewriteFrame(frame as EventFrame, changes.texts);
  }

  usage(): Usage {
    if (this.#messages.length === 0) return { entries: [], certainty: this.#failed ? 'exact' : 'floor' };
    const metered = this.#messages.map((message) =>
      message.meter.metered({
        model: message.model,
        cacheWrite: this.#cacheWrite,
        outputFloor: message.settled(this.#ended) ? 0 : message.outputFloor,
      }),
    );
    return {
      entries: metered.flatMap(({ entries }) => entries),
      certainty: this.#messages.every((message) => message.settled(this.#ended)) ? 'exact' : 'floor',
      ...(metered.some(({ estimated }) => estimated) && { estimated: true }),
    };
  }

  servedModel(): string | undefined {
    return this.#messages.at(-1)?.servedModel;
  }

  finished(): boolean {
    return this.#messages.at(-1)?.stopped ?? false;
  }

  failed(): boolean {
    return this.#failed;
  }

  outputFloor(): number {
    return this.#messages.reduce((sum, message) => sum + message.outputFloor, 0);
  }

  providerRuns(): number {
    return this.#messages.reduce((sum, message) => sum + message.providerRuns, 0);
  }

  text(): string {
    return this.#messages.flatMap(({ blocks }) => blocks.map(({ text }) => text)).join('');
  }

  issuedIds(): readonly string[] {
    const ids = this.#messages.flatMap(({ id, blocks }) => [
      id,
      ...blocks.flatMap(({ start }) => (blockType(start).endsWith('tool_use') ? [asString(start['id'])] : [])),
    ]);
    return [...new Set(ids.filter((id) => id !== undefined))];
  }

  mark(): MessageMark {
    return this.#messages.at(-1)?.mark() ?? markOf('assistant', []);
  }

  #call(slot: string): StreamedBlock {
    const block = this.#calls.get(slot);
    if (!block) throw new RangeError(`the reply has no tool call \`${slot}\``);
    return block;
  }

  #frame(bytes: Uint8Array): EventFrame {
    const { event, data } = sseFields(this.#decoder.decode(bytes));
    const value = data === undefined ? undefined : parsed(data);
    const type = asString(member(value, 'type')) ?? event ?? '';
    const parts = this.#parts(type, event, value);
    for (const block of parts.blocks ?? []) if (block.isCall) this.#calls.set(block.slot, block);
    return {
      bytes,
      hidden: false,
      lanes: parts.lanes ?? [],
      texts: parts.texts ?? [],
      closes: parts.closes ?? [],
      slots: parts.slots ?? [],
      completes: parts.completes ?? [],
      finish: parts.finish ?? false,
      ping: type === 'ping' || (data === undefined && event === undefined),
      note: { type, message: this.#messages.at(-1), pieces: parts.pieces ?? [], blocks: parts.blocks ?? [] },
    };
  }

  #parts(type: string, event: string | undefined, value: Json | undefined): FrameParts {
    if (type === 'error' || event === 'error') {
      this.#failed = true;
      return { closes: this.#openTexts() };
    }
    if (type === 'message_start') return this.#started().start(member(value, 'message'));
    const index = asCount(member(value, 'index'));
    const block = member(value, 'content_block');
    const delta = member(value, 'delta');
    switch (type) {
      case 'content_block_start':
        return index !== undefined && isObject(block) ? this.#current().blockStart(index, block) : {};
      case 'content_block_delta':
        return index !== undefined && isObject(delta) ? this.#current().blockDelta(index, delta) : {};
      case 'content_block_stop':
        return index !== undefined ? this.#current().blockStop(index) : {};
      case 'message_delta':
        return this.#current().delta(delta, member(value, 'usage'));
      case 'message_stop':
        return this.#current().stop();
      default:
        return {};
    }
  }

  /** The message a `message_start` belongs to: the one that is open, else a further one. */
  #started(): StreamedMessage {
    const last = this.#messages.at(-1);
    return last && !last.over ? last : this.#add();
  }

  /** The message other events belong to; a stream that forgot `message_start` still has one. */
  #current(): StreamedMessage {
    return this.#messages.at(-1) ?? this.#add();
  }

  #add(): StreamedMessage {
    const message = new StreamedMessage(this.#messages.length, this.#messages.at(-1)?.lane);
    this.#messages.push(message);
    return message;
  }

  #openTexts(): string[] {
    return this.#messages.flatMap((message) => message.openTexts());
  }
}

function parsed(data: string): Json | undefined {
  try {
    return JSON.parse(data) as Json;
  } catch {
    // a line that is no JSON is passed on as it came and means nothing here
    return undefined;
  }
}
