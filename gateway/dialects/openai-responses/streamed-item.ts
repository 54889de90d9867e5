import { asString, type Json, type JsonObject } from '../../domain/json.ts';
import type { Pointer } from '../../domain/pointer.ts';
import type { ProposedCall } from '../../ports/dialect.ts';
import { markText } from '../_shared/mark-text.ts';
import { readArguments } from '../openai-chat/arguments.ts';
import type { MarkedCall } from '../openai-chat/mark.ts';
import {
  type CallKind,
  callKind,
  type ItemText,
  isVisible,
  itemTexts,
  itemType,
  markedCall,
  rawPayload,
  readCall,
} from './item.ts';
import { denseItem, isProgram } from './meter.ts';
import { StreamedText, type TextPlace } from './streamed-text.ts';

/** One item of a streamed response: what was read of it, and what became of it on the way to the caller. */
export class StreamedItem {
  readonly index: number;
  /** names it as a lane, its call as a slot and its texts as channels */
  readonly slot: string;
  /** as it was last stated */
  item: JsonObject;
  /** set where it is a call that the client would run */
  readonly kind: CallKind | undefined;
  /** the call as it was judged */
  call: ProposedCall | undefined;
  /** the text that took the call's place */
  denied: string | undefined;
  /** the arguments that took the place of the proposed ones */
  edited: { readonly args: Json } | undefined;
  /** the replacement has been sent */
  placed = false;
  /** it has been stated whole */
  done = false;
  readonly #texts = new Map<string, StreamedText>();
  /** argument text as its pieces have it */
  #pieces = '';
  #repeated = '';
  #judged = '';
  #dense = 0;

  constructor(slot: string, index: number, item: JsonObject) {
    this.slot = slot;
    this.index = index;
    this.item = item;
    this.kind = callKind(item);
  }

  /** Least that the model wrote of it (least-tokens.ts). */
  get dense(): number {
    return isProgram(this.item) ? 0 : Math.max(this.#dense, this.done ? denseItem(this.item) : 0);
  }

  wrote(dense: number): void {
    this.#dense += dense;
  }

  /** True where this statement of an item can be this one's: a call is never taken for something that is not judged. */
  suits(item: JsonObject): boolean {
    return callKind(item) === undefined || (this.kind !== undefined && itemType(item) === itemType(this.item));
  }

  /** Arguments as they come in pieces and are then repeated. */
  takeArguments(type: string, body: JsonObject): void {
    const payload = this.kind?.payload;
    if (payload?.form !== 'json' && payload?.form !== 'text') return;
    if (type.endsWith('.delta')) this.#pieces += asString(body['delta']) ?? '';
    else if (type.endsWith('.done')) this.#repeated = asString(body[payload.name]) ?? this.#repeated;
  }

  text(kind: ItemText['kind'], index: number): StreamedText {
    const key = `${kind}/${index}`;
    let text = this.#texts.get(key);
    if (!text) {
      text = new StreamedText(this.slot, kind, index);
      this.#texts.set(key, text);
    }
    return text;
  }

  /** The item as an event states it, at `at`; the texts in it repeat or continue what came before. */
  state(item: JsonObject, at: Pointer, done: boolean): TextPlace[] {
    if (this.kind === undefined || done) this.item = item;
    this.done ||= done;
    if (this.kind !== undefined) return [];
    return itemTexts(item).map(({ kind, index, at: place, text }) => this.text(kind, index).whole(at + place, text));
  }

  /** The call, where it is now complete or is now stated otherwise than when it was judged. */
  complete(): ProposedCall | undefined {
    if (!this.kind) return undefined;
    const { payload } = this.kind;
    const own = rawPayload(this.item, this.kind);
    const stated = [this.#pieces, this.#repeated, own].filter((raw) => raw !== '');
    const identities = new Set(stated.map(identityOf));
    const identity = [...identities].join();
    if (this.call && identity === this.#judged) return undefined;
    const raw = stated.at(-1) ?? '';
    const item = own === '' && 'name' in payload ? { ...this.item, [payload.name]: raw } : this.item;
    this.item = item;
    this.#judged = identity;
    this.call = readCall(this.slot, item, this.kind, identities.size > 1);
    return this.call;
  }

  /** Channels that have been open and end here. */
  close(): string[] {
    return [...this.#texts.values()].filter((text) => text.close()).map(({ channel }) => channel);
  }

  /** Visible texts, as the provider wrote them or as they were relayed. */
  visible(relayed: boolean): string[] {
    const texts = [...this.#texts.values()].filter(isVisible).map((text) => (relayed ? text.relayed : text.text));
    return relayed && this.denied !== undefined ? [this.denied] : texts;
  }

  /** The call as it was relayed; undefined where it was none or was denied. */
  marked(): MarkedCall | undefined {
    if (!this.kind || !this.call || this.denied !== undefined) return undefined;
    return markedCall(this.item, this.kind, this.edited?.args);
  }
}

/** Arguments by value where they are a JSON object: spaces and the order of members make no other call. */
const identityOf = (raw: string): string => markText(readArguments(raw) ?? raw);
