import { asString, type Json, type JsonObject } from '../../domain/json.ts';
import type { ProposedCall } from '../../ports/dialect.ts';
import { blockType, isCallType, isProviderCallType } from './block.ts';
import { proposedCall } from './proposed-call.ts';
import { slotOf } from './slot.ts';

/** One content block of a streamed message: what was read of it, and what became of it on the way to the caller. */
export class StreamedBlock {
  readonly index: number;
  /** names the block as a call's slot, a text's channel and a lane */
  readonly slot: string;
  readonly isCall: boolean;
  readonly start: JsonObject;
  /** the call, once its arguments are complete */
  call: ProposedCall | undefined;
  /** the text that took the call's place */
  denied: string | undefined;
  /** the arguments that took the place of the proposed ones */
  edited: { readonly args: Json } | undefined;
  /** the edited arguments were sent */
  delivered = false;
  hasText = false;
  #text = '';
  /** text as relayed, by frame */
  readonly #sent: string[] = [];
  #arguments = '';

  constructor(index: number, message: number, earlier: number, start: JsonObject) {
    this.index = index;
    this.slot = earlier === 0 ? slotOf(index, message) : `${slotOf(index, message)}.${earlier}`;
    this.isCall = isCallType(blockType(start));
    this.start = start;
    this.hasText = blockType(start) === 'text';
  }

  /** The visible text as the provider wrote it. */
  get text(): string {
    return this.#text;
  }

  /** The text that the start event carries itself. */
  begin(): { block: StreamedBlock; at: number; text: string }[] {
    const text = blockType(this.start) === 'text' ? (asString(this.start['text']) ?? '') : '';
    return text === '' ? [] : [this.takeText(text)];
  }

  takeText(text: string): { block: StreamedBlock; at: number; text: string } {
    this.hasText = true;
    this.#text += text;
    return { block: this, at: this.#sent.push(text) - 1, text };
  }

  takeArguments(json: string): void {
    this.#arguments += json;
  }

  end(): void {
    const type = blockType(this.start);
    if (isCallType(type) || isProviderCallType(type)) this.call = proposedCall(this.slot, this.start, this.#arguments);
  }

  /** The piece of text `at` went out as `text`. */
  replaced(at: number, text: string): void {
    this.#sent[at] = text;
  }

  /** The block as the caller got it, reduced to what a mark reads; undefined where nothing of it counts. */
  relayed(): Json | undefined {
    if (this.denied !== undefined) return { type: 'text', text: this.denied };
    if (this.call) {
      const input = this.edited ? this.edited.args : this.call.args;
      return { type: blockType(this.start), name: this.call.tool, input };
    }
    return this.hasText ? { type: 'text', text: this.#sent.join('') } : undefined;
  }
}
