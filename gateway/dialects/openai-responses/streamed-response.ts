import { asCount, asString, isObject, type Json, type JsonObject, member } from '../../domain/json.ts';
import type { Pointer } from '../../domain/pointer.ts';
import type { Frame, ProposedCall } from '../../ports/dialect.ts';
import { denseBytes, leastTokens } from '../_shared/least-tokens.ts';
import { type ItemText, isProviderRun, itemId, itemType, partText } from './item.ts';
import { Meter } from './meter.ts';
import { outputItems } from './read-reply.ts';
import { StreamedItem } from './streamed-item.ts';
import { fresh, type TextPlace } from './streamed-text.ts';

/** What an event was read as, kept for as long as somebody holds its frame. */
export interface Contents {
  /** the item it belongs to */
  readonly item?: StreamedItem;
  readonly role: 'added' | 'done' | 'piece' | 'lifecycle' | 'other';
  readonly places: readonly TextPlace[];
  /** the items that a lifecycle event repeats */
  readonly outputs: readonly { readonly item: StreamedItem; readonly at: Pointer }[];
}

/** An event's contents and what they mean for its frame. */
export interface EventParts {
  readonly contents: Contents;
  readonly frame: Partial<Frame>;
}

/** Events that carry a text: what kind, which member counts it, and where a whole one stands. */
const TEXTS: Readonly<Record<string, { kind: ItemText['kind']; index: string; whole: string }>> = {
  'response.output_text': { kind: 'text', index: 'content_index', whole: 'text' },
  'response.text': { kind: 'text', index: 'content_index', whole: 'text' },
  'response.output_audio_transcript': { kind: 'text', index: 'content_index', whole: 'transcript' },
  'response.audio_transcript': { kind: 'text', index: 'content_index', whole: 'transcript' },
  'response.refusal': { kind: 'refusal', index: 'content_index', whole: 'refusal' },
  'response.reasoning_text': { kind: 'reasoning', index: 'content_index', whole: 'text' },
  'response.reasoning_summary_text': { kind: 'summary', index: 'summary_index', whole: 'text' },
};
/** Pieces that are not what the model wrote, token by token: a summary of it, and sound. */
const NOT_WRITTEN = /^response\.(?:reasoning_summary_text|(?:output_)?audio)\./;
const TERMINAL = new Set(['response.completed', 'response.incomplete', 'response.failed']);
/** Pieces of what the model writes for a tool, by how their events begin; the item's type where none was announced. */
const GUESSES: readonly (readonly [string, string])[] = [
  ['response.function_call_arguments.', 'function_call'],
  ['response.custom_tool_call_input.', 'custom_tool_call'],
  ['response.shell_call_command.', 'shell_call'],
  ['response.apply_patch_call_operation_diff.', 'apply_patch_call'],
];
/** The lane of the events that begin items: those keep their order, because clients number items as they come. */
const BEGINNINGS = 'output';
const NOTHING: Contents = { role: 'other', places: [], outputs: [] };

/** One response of a stream, as its events build it. */
export class StreamedResponse {
  readonly meter: Meter;
  readonly items: StreamedItem[] = [];
  id = '';
  /** its terminal event, without `response.` */
  ending: string | undefined;
  readonly #prefix: string;
  readonly #byIndex = new Map<number, StreamedItem>();

  constructor(ordinal: number, imageModel: string | undefined) {
    this.#prefix = ordinal === 0 ? '' : `${ordinal}/`;
    this.meter = new Meter(imageModel);
  }

  get calls(): readonly StreamedItem[] {
    return this.items.filter(({ kind }) => kind !== undefined);
  }

  get outputFloor(): number {
    return leastTokens(this.#dense);
  }

  usage(): ReturnType<Meter['usage']> {
    return this.meter.usage(
      this.items.map(({ item }) => item),
      this.#dense,
    );
  }

  get #dense(): number {
    return this.items.reduce((sum, { dense }) => sum + dense, 0);
  }

  get providerRuns(): number {
    return this.items.filter(({ item }) => isProviderRun(item)).length;
  }

  /** Reads one event of this response. */
  read(type: string, body: JsonObject): EventParts {
    const response = body['response'];
    if (isObject(response)) return this.#lifecycle(type, response);
    const index = asCount(body['output_index']);
    const item = body['item'];
    if (type === 'response.output_item.added' && isObject(item)) return this.#added(index ?? this.items.length, item);
    if (type === 'response.output_item.done' && isObject(item)) return this.#done(index, item);
    const known = this.#find(index, asString(body['item_id']), type);
    return known ? this.#piece(known, type, body) : { contents: NOTHING, frame: {} };
  }

  /** The terminal event was there and could not be read: whatever is open ends, and usage stays unknown. */
  endUnread(type: string): EventParts | undefined {
    if (!TERMINAL.has(type)) return undefined;
    this.ending = type.slice('response.'.length);
    return {
      contents: NOTHING,
      frame: { finish: true, ...this.#endItems(), slots: this.calls.map(({ slot }) => slot) },
    };
  }

  /** Calls and channels that the provider never closed. */
  endItems(): Pick<Frame, 'completes' | 'closes'> {
    return this.#endItems();
  }

  #endItems(): { completes: ProposedCall[]; closes: string[] } {
    return {
      completes: this.items.flatMap((item) => item.complete() ?? []),
      closes: this.items.flatMap((item) => item.close()),
    };
  }

  #lifecycle(type: string, response: JsonObject): EventParts {
    this.meter.take(response);
    this.id = itemId(response) || this.id;
    const over = TERMINAL.has(type);
    if (over) this.ending = type.slice('response.'.length);
    const outputs = outputItems(response).map((stated, i) => ({ stated, at: `/response/output/${i}`, i }));
    const found = outputs.map(({ stated, at, i }) => ({ item: this.#match(stated, i), stated, at }));
    const places = found.flatMap(({ item, stated, at }) => item.state(stated, at, over));
    const contents = { role: 'lifecycle' as const, places, outputs: found };
    const texts = textsOf(places);
    if (!over) return { contents, frame: { texts, slots: found.flatMap(({ item }) => slotsOf(item)) } };
    return { contents, frame: { texts, finish: true, slots: this.calls.map(({ slot }) => slot), ...this.#endItems() } };
  }

  #added(index: number, item: JsonObject): EventParts {
    const begun = this.#begin(index, item);
    const places = begun.state(item, '/item', false);
    const contents = { item: begun, role: 'added' as const, places, outputs: [] };
    return { contents, frame: { lanes: [BEGINNINGS, begun.slot], texts: textsOf(places), slots: slotsOf(begun) } };
  }

  #done(index: number | undefined, item: JsonObject): EventParts {
    const there = index === undefined ? undefined : this.#byIndex.get(index);
    const known = there?.suits(item) ? there : index === undefined ? this.#match(item, -1) : this.#begin(index, item);
    const places = known.state(item, '/item', true);
    const completes = known.complete();
    const contents = { item: known, role: 'done' as const, places, outputs: [] };
    const frame = { lanes: [known.slot], texts: textsOf(places), closes: known.close(), slots: slotsOf(known) };
    return { contents, frame: { ...frame, completes: completes ? [completes] : [] } };
  }

  #piece(item: StreamedItem, type: string, body: JsonObject): EventParts {
    const place = textPlace(item, type, body);
    const delta = asString(body['delta']);
    if (delta !== undefined && !NOT_WRITTEN.test(type)) item.wrote(denseBytes(delta));
    item.takeArguments(type, body);
    const places = place ? [place] : [];
    const closes = place && type.endsWith('.done') && place.stretch.close() ? [place.stretch.channel] : [];
    const contents = { item, role: 'piece' as const, places, outputs: [] };
    return { contents, frame: { lanes: [item.slot], texts: textsOf(places), closes, slots: slotsOf(item) } };
  }

  /** The item an event is about; one that was never announced begins with its first piece. */
  #find(index: number | undefined, id: string | undefined, type: string): StreamedItem | undefined {
    const byId = id === undefined ? undefined : this.items.find(({ item }) => itemId(item) === id);
    if (index === undefined) return byId;
    const known = this.#byIndex.get(index);
    if (known) return known;
    const guess = GUESSES.find(([start]) => type.startsWith(start))?.[1];
    return this.#begin(index, { type: guess ?? 'unknown', ...(id !== undefined && { id }) });
  }

  /** The item that a whole response repeats: by id, or by place where ids change from event to event. */
  #match(item: JsonObject, place: number): StreamedItem {
    const id = itemId(item);
    const byId = id === '' ? undefined : this.items.find((known) => itemId(known.item) === id);
    if (byId?.suits(item)) return byId;
    const there = this.#byIndex.get(place);
    if (there?.suits(item) && itemType(there.item) === itemType(item)) return there;
    return this.#begin(place === -1 || there ? this.items.length : place, item);
  }

  #begin(index: number, item: JsonObject): StreamedItem {
    const same = this.items.filter((known) => known.index === index).length;
    const begun = new StreamedItem(`${this.#prefix}output/${index}${same === 0 ? '' : `.${same}`}`, index, item);
    this.items.push(begun);
    this.#byIndex.set(index, begun);
    return begun;
  }
}

const slotsOf = ({ kind, slot }: StreamedItem): string[] => (kind ? [slot] : []);

const textsOf = (places: readonly TextPlace[]): Frame['texts'] =>
  places.flatMap((place) => (fresh(place) === '' ? [] : [{ channel: place.stretch.channel, text: fresh(place) }]));

/** The text that an event below an item carries: a piece, a whole one, or a part with one. */
function textPlace(item: StreamedItem, type: string, body: Json): TextPlace | undefined {
  if (item.kind) return undefined;
  const dot = type.lastIndexOf('.');
  const known = TEXTS[type.slice(0, dot)];
  const index = asCount(member(body, known?.index ?? 'content_index')) ?? asCount(member(body, 'summary_index')) ?? 0;
  if (known) {
    const text = item.text(known.kind, index);
    const delta = asString(member(body, 'delta'));
    const whole = asString(member(body, known.whole));
    if (type.endsWith('.delta')) return delta === undefined ? undefined : text.piece('/delta', delta);
    return whole === undefined ? undefined : text.whole(`/${known.whole}`, whole);
  }
  const part = partText(member(body, 'part'));
  return part && item.text(part.kind, index).whole(`/part/${part.member}`, part.text);
}
