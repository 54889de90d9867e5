import { asString, isObject, type Json, type JsonObject, member } from '../../domain/json.ts';
import type { Frame, MessageMark, ProposedCall } from '../../ports/dialect.ts';
import { denseBytes, leastTokens } from '../_shared/least-tokens.ts';
import { blockType, objectsOf } from './block.ts';
import { markOf } from './mark.ts';
import { StreamedBlock } from './streamed-block.ts';
import { UsageMeter } from './usage-meter.ts';

/** Text of a block that rides in one frame: the piece `at` of the block's text. */
export interface Piece {
  readonly block: StreamedBlock;
  readonly at: number;
}

/** What one event means for its frame. */
export type FrameParts = Partial<Omit<Frame, 'bytes' | 'hidden' | 'ping'>> & {
  readonly pieces?: readonly Piece[];
  /** the block the event belongs to; for a `message_start`, those it carries whole */
  readonly blocks?: readonly StreamedBlock[];
};

/** The members of a delta that hold what the model wrote. */
const WRITTEN = ['text', 'thinking', 'partial_json', 'content'];

/** Blocks that show that the provider ran something of its own: a further prompt that the request does not show. */
const PROVIDER_RUNS = new Set(['server_tool_use', 'mcp_tool_use', 'compaction', 'fallback']);

/** One message of a stream, as its events build it. */
export class StreamedMessage {
  readonly meter = new UsageMeter();
  readonly blocks: StreamedBlock[] = [];
  model: string | undefined;
  id: string | undefined;
  stopped = false;
  /** the lane of the block begun last: blocks keep their order, because clients number them as they come */
  lane: string;
  readonly #ordinal: number;
  readonly #open = new Map<number, StreamedBlock>();
  #fallback: string | undefined;
  #reason: string | undefined;
  #settled = false;
  #dense = 0;

  constructor(ordinal: number, lane: string | undefined) {
    this.#ordinal = ordinal;
    this.lane = lane ?? 'message';
  }

  /** `message_start`. A second one before the end replaces the first's usage; it may carry whole blocks. */
  start(message: Json | undefined): FrameParts {
    this.meter.restart(member(message, 'usage'));
    this.model = asString(member(message, 'model'));
    this.id = asString(member(message, 'id'));
    this.#reason = asString(member(message, 'stop_reason'));
    this.#settled = this.#reason !== undefined && this.meter.stated;
    const lanes = [this.lane];
    const blocks = objectsOf(member(message, 'content')).map(({ block, index }) => this.#begin(index, block));
    return {
      lanes: [...lanes, ...blocks.map(({ slot }) => slot)],
      blocks,
      ...frameTexts(blocks.flatMap((block) => block.begin())),
      ...this.#close(blocks.map(({ index }) => index)),
      finish: this.#reason !== undefined,
    };
  }

  blockStart(index: number, start: JsonObject): FrameParts {
    const left = this.#close([index]);
    const before = this.lane;
    const block = this.#begin(index, start);
    if (blockType(start) === 'fallback') this.#fallback = asString(member(start['to'], 'model'));
    return {
      ...left,
      lanes: [before, block.slot],
      blocks: [block],
      ...frameTexts(block.begin()),
      slots: [...(left.slots ?? []), ...(block.isCall ? [block.slot] : [])],
    };
  }

  blockDelta(index: number, delta: JsonObject): FrameParts {
    for (const name of WRITTEN) this.#dense += denseBytes(asString(delta[name]) ?? '');
    const block =
      this.#open.get(index) ?? this.#begin(index, { type: blockType(delta) === 'text_delta' ? 'text' : '' });
    const parts = { lanes: [block.slot], blocks: [block], slots: block.isCall ? [block.slot] : [] };
    const json = asString(delta['partial_json']);
    if (json !== undefined) block.takeArguments(json);
    const text = blockType(delta) === 'text_delta' ? asString(delta['text']) : undefined;
    return text === undefined || block.isCall ? parts : { ...parts, ...frameTexts([block.takeText(text)]) };
  }

  blockStop(index: number): FrameParts {
    const block = this.#open.get(index);
    return block ? { lanes: [block.slot], blocks: [block], ...this.#close([index]) } : {};
  }

  /** `message_delta`: usage so far, and why the message ended. */
  delta(delta: Json | undefined, usage: Json | undefined): FrameParts {
    const stated = isObject(usage);
    if (stated) this.meter.update(usage);
    const reason = asString(member(delta, 'stop_reason'));
    this.#reason = reason ?? this.#reason;
    if (stated && this.meter.stated) this.#settled = true;
    return reason === undefined ? {} : { finish: true, ...this.#close([...this.#open.keys()]) };
  }

  stop(): FrameParts {
    this.stopped = true;
    return this.#close([...this.#open.keys()]);
  }

  /** Channels whose text has not ended. */
  openTexts(): string[] {
    return [...this.#open.values()].filter(({ hasText }) => hasText).map(({ slot }) => slot);
  }

  /** True where the usage is the last word: stated with or after the reason, and the message or the stream is over. */
  settled(streamEnded: boolean): boolean {
    return this.#settled && (this.stopped || (streamEnded && this.#reason !== undefined));
  }

  /** True once no further event of this message is due but its stop. */
  get over(): boolean {
    return this.stopped || (this.#settled && this.#reason !== undefined);
  }

  get servedModel(): string | undefined {
    return this.meter.fallbackModel ?? this.#fallback ?? this.model;
  }

  get outputFloor(): number {
    return leastTokens(this.#dense);
  }

  get providerRuns(): number {
    return this.blocks.filter(({ start }) => PROVIDER_RUNS.has(blockType(start))).length;
  }

  get calls(): readonly StreamedBlock[] {
    return this.blocks.filter(({ isCall }) => isCall);
  }

  mark(): MessageMark {
    return markOf(
      'assistant',
      this.blocks.flatMap((block) => block.relayed() ?? []),
    );
  }

  #begin(index: number, start: JsonObject): StreamedBlock {
    const same = this.blocks.filter((block) => block.index === index).length;
    const block = new StreamedBlock(index, this.#ordinal, same, start);
    this.blocks.push(block);
    this.#open.set(index, block);
    this.lane = block.slot;
    return block;
  }

  /** Ends blocks: text channels close, calls are complete. */
  #close(indexes: readonly number[]): FrameParts {
    const closes: string[] = [];
    const completes: ProposedCall[] = [];
    for (const index of indexes) {
      const block = this.#open.get(index);
      if (!block) continue;
      this.#open.delete(index);
      block.end();
      if (block.hasText) closes.push(block.slot);
      if (block.isCall && block.call) completes.push(block.call);
    }
    return { closes, completes, slots: completes.map(({ slot }) => slot) };
  }
}

function frameTexts(pieces: readonly (Piece & { readonly text: string })[]): FrameParts {
  return { pieces, texts: pieces.map(({ block, text }) => ({ channel: block.slot, text })) };
}
