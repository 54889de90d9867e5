import { asString, isObject, type Json, type JsonObject, member } from '../../domain/json.ts';
import type { Usage } from '../../domain/usage.ts';
import type { Frame, FrameChanges, MessageMark, Reading, StreamReader } from '../../ports/dialect.ts';
import { type EventMessage, EventStreamSplitter, stringHeaders } from '../_shared/event-stream.ts';
import { denseBytes, leastTokens } from '../_shared/least-tokens.ts';
import { type Block, callIn, close, openBlock, slotsOf } from './block.ts';
import { type MarkItem, markOf } from './mark.ts';
import { slotOf } from './reply.ts';
import { type Contents, parsedEvent, rewriteCall, rewriteEnd, rewriteText } from './rewrite.ts';
import { converseUsage, invokedModel } from './usage.ts';

/** Every event keeps its place behind the ones before it. */
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

const decoder = new TextDecoder();
const NOTHING = new Uint8Array(0);

/** Reads one ConverseStream reply (https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html). */
export class ConverseStreamReader implements StreamReader {
  readonly #reading: Reading;
  readonly #splitter = new EventStreamSplitter();
  readonly #blocks = new Map<number, Block>();
  readonly #contents = new WeakMap<Frame, Contents>();
  readonly #denied = new Map<string, string>();
  readonly #edited = new Map<string, Json>();
  #metadata: Json = {};
  #metered = false;
  #stopped = false;
  #ended = false;
  #failed = false;
  #dense = 0;

  constructor(reading: Reading) {
    this.#reading = reading;
  }

  push(chunk: Uint8Array): Frame[] {
    return this.#splitter.push(chunk).map((message) => this.#read(message));
  }

  end(): Frame[] {
    this.#ended = true;
    const rest = this.#splitter.end();
    const frames: Frame[] = rest.length === 0 ? [] : [{ ...EMPTY, bytes: rest }];
    const { completes, closes } = this.#closeAll();
    // calls and texts that the provider never closed still have to be judged
    if (completes.length > 0 || closes.length > 0) frames.push({ ...EMPTY, bytes: NOTHING, completes, closes });
    return frames;
  }

  rewrite(frame: Frame, changes: FrameChanges): Uint8Array {
    const contents = this.#contents.get(frame);
    if (!contents) return frame.bytes;
    for (const [slot, text] of changes.denied) this.#denied.set(slot, text);
    for (const [slot, args] of changes.edited) this.#edited.set(slot, args);
    const { kind, block } = contents;
    if (kind === 'end') return rewriteEnd(frame, contents, this.#inOrder(), this.#denied);
    if (!block) return frame.bytes;
    if (!block.use) return rewriteText(frame, contents, block, changes.texts);
    const slot = slotOf(block.index);
    return rewriteCall(frame, contents, block, this.#denied.get(slot), this.#edited.get(slot));
  }

  usage(): Usage {
    return converseUsage(this.#metadata, this.#reading, this.outputFloor());
  }

  servedModel(): string | undefined {
    return invokedModel(this.#metadata);
  }

  /** The usage comes behind the stop; a server that sends none ends with its connection. */
  finished(): boolean {
    return this.#stopped && (this.#metered || this.#ended);
  }

  failed(): boolean {
    return this.#failed;
  }

  outputFloor(): number {
    return leastTokens(this.#dense);
  }

  providerRuns(): number {
    return [...this.#blocks.values()].filter(({ use }) => use?.['type'] === 'server_tool_use').length;
  }

  text(): string {
    return this.#inOrder()
      .filter(({ use }) => use === undefined)
      .map(({ raw }) => raw)
      .join('');
  }

  issuedIds(): readonly string[] {
    const ids = this.#inOrder().flatMap(({ use }) => (use ? [use['toolUseId']] : []));
    return [...new Set(ids.filter((id) => typeof id === 'string'))];
  }

  mark(): MessageMark {
    const items = this.#inOrder().map((block): MarkItem => {
      const slot = slotOf(block.index);
      const denial = this.#denied.get(slot);
      if (!block.use) return ['text', block.said.join('')];
      if (denial !== undefined) return ['text', denial];
      return ['call', block.use['name'] ?? '', this.#edited.get(slot) ?? callIn(block).args];
    });
    return markOf('assistant', items);
  }

  #read({ bytes, headers, payload }: EventMessage): Frame {
    const named = stringHeaders(headers);
    if (named.get(':message-type') !== 'event') {
      this.#failed = true;
      return { ...EMPTY, bytes };
    }
    const text = decoder.decode(payload);
    const body = parsedEvent(text);
    const type = named.get(':event-type') ?? '';
    const base = { text, headers: headers.slice(), block: undefined, piece: undefined };
    switch (type) {
      case 'contentBlockStart':
        return this.#start(bytes, body, base);
      case 'contentBlockDelta':
        return this.#delta(bytes, body, base);
      case 'contentBlockStop':
        return this.#stop(bytes, body, base);
      case 'messageStop':
        this.#stopped = true;
        return this.#keep({ ...EMPTY, bytes, ...this.#closeAll(), finish: true }, { ...base, kind: 'end' });
      case 'metadata':
        this.#metadata = body;
        this.#metered = true;
        return { ...EMPTY, bytes };
      default:
        return { ...EMPTY, bytes };
    }
  }

  #start(bytes: Uint8Array, body: JsonObject, base: Omit<Contents, 'kind'>): Frame {
    const block = this.#block(body);
    const use = member(body['start'], 'toolUse');
    if (isObject(use)) {
      block.use ??= use;
      this.#dense += denseBytes(asString(use['name']) ?? '');
    }
    return this.#keep({ ...EMPTY, bytes, slots: slotsOf(block) }, { ...base, kind: 'start', block });
  }

  #delta(bytes: Uint8Array, body: JsonObject, base: Omit<Contents, 'kind'>): Frame {
    const block = this.#block(body);
    const delta = body['delta'];
    const input = asString(member(member(delta, 'toolUse'), 'input'));
    if (isObject(member(delta, 'toolUse'))) block.use ??= {};
    if (input !== undefined) {
      block.raw += input;
      this.#dense += denseBytes(input);
    }
    if (block.use) return this.#keep({ ...EMPTY, bytes, slots: slotsOf(block) }, { ...base, kind: 'delta', block });
    // reasoning is signed as a whole: it passes as it is
    this.#dense += denseBytes(asString(member(member(delta, 'reasoningContent'), 'text')) ?? '');
    const said = asString(member(delta, 'text')) ?? '';
    if (said === '') return { ...EMPTY, bytes };
    this.#dense += denseBytes(said);
    block.open = true;
    block.raw += said;
    const piece = block.said.push(said) - 1;
    const texts = [{ channel: slotOf(block.index), text: said }];
    return this.#keep({ ...EMPTY, bytes, texts }, { ...base, kind: 'delta', block, piece });
  }

  #stop(bytes: Uint8Array, body: JsonObject, base: Omit<Contents, 'kind'>): Frame {
    const block = this.#block(body);
    const frame = { ...EMPTY, bytes, slots: slotsOf(block), ...close(block) };
    return this.#keep(frame, { ...base, kind: 'stop', block });
  }

  #keep(frame: Frame, contents: Contents): Frame {
    this.#contents.set(frame, contents);
    return frame;
  }

  #block(body: JsonObject): Block {
    const index = typeof body['contentBlockIndex'] === 'number' ? body['contentBlockIndex'] : 0;
    let block = this.#blocks.get(index);
    if (!block) {
      block = openBlock(index);
      this.#blocks.set(index, block);
    }
    return block;
  }

  #closeAll(): Pick<Frame, 'completes' | 'closes'> {
    const closed = this.#inOrder().map(close);
    return { completes: closed.flatMap(({ completes }) => completes), closes: closed.flatMap(({ closes }) => closes) };
  }

  #inOrder(): Block[] {
    return [...this.#blocks.values()].sort((a, b) => a.index - b.index);
  }
}
