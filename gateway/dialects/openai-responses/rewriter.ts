import { asString, type Json, type JsonObject } from '../../domain/json.ts';
import type { Splice } from '../../domain/json-splice.ts';
import type { Pointer } from '../../domain/pointer.ts';
import type { FrameChanges } from '../../ports/dialect.ts';
import { wireArguments } from '../openai-chat/arguments.ts';
import { clearedLogprobs } from './edit-reply.ts';
import { payloadSplices, rawPayload } from './item.ts';
import { standIn, standInEvents } from './stand-in.ts';
import { furtherEvent, type StreamEvent, splicedEvent } from './stream-event.ts';
import type { StreamedItem } from './streamed-item.ts';
import type { Contents } from './streamed-response.ts';
import { outgoing, type TextPlace } from './streamed-text.ts';

/** Makes the events of frames whose response has changed, and keeps their sequence numbers without gaps. */
export class Rewriter {
  /** what later sequence numbers are more or less by */
  #shift = 0;

  /** The text to send in the event's place; '' for none. Throws a RangeError where a change has nowhere to land. */
  rewrite(event: StreamEvent, contents: Contents, texts: FrameChanges['texts']): string {
    for (const { stretch, piece, sent } of contents.places) {
      const text = texts.get(stretch.channel);
      if (text !== undefined && piece !== undefined) sent[piece] = text;
    }
    const number = event.body?.['sequence_number'];
    const first = typeof number === 'number' ? number + this.#shift : undefined;
    const out = this.#events(event, contents, first);
    if (first !== undefined) this.#shift += out.length - 1;
    return out.join('');
  }

  #events(event: StreamEvent, contents: Contents, first: number | undefined): string[] {
    const { item, role } = contents;
    if (item?.denied !== undefined) return deniedCall(event, item, item.denied, first);
    const splices =
      item?.edited && role === 'piece' ? editedPiece(event, item, item.edited.args) : splicesOf(event, contents);
    if (splices === undefined) return [];
    if (this.#shift !== 0 && first !== undefined) splices.push({ at: '/sequence_number', json: String(first) });
    return [splicedEvent(event, splices)];
  }
}

/** The stand-in comes with the call's first event; the others are left out. */
function deniedCall(event: StreamEvent, item: StreamedItem, text: string, first: number | undefined): string[] {
  if (item.placed) return [];
  item.placed = true;
  return standInEvents(item.item, item.index, text).map(({ type, body }, i) =>
    furtherEvent(event, type, { ...body, ...(first !== undefined && { sequence_number: first + i }) }),
  );
}

/** The first piece of an edited call carries its arguments whole, the last event repeats them; undefined leaves the event out. */
function editedPiece(event: StreamEvent, item: StreamedItem, args: Json): Splice[] | undefined {
  const payload = item.kind?.payload;
  if (payload?.form !== 'json' && payload?.form !== 'text') return undefined;
  const json = JSON.stringify(wireArguments(args));
  if (event.type.endsWith('.done') && asString(event.body?.[payload.name]) !== undefined)
    return [{ at: `/${payload.name}`, json }];
  if (!event.type.endsWith('.delta') || item.placed) return undefined;
  item.placed = true;
  return [{ at: '/delta', json }];
}

/** Splices for everything an event repeats; undefined where it has nothing left to tell. */
function splicesOf({ body = {} }: StreamEvent, { item, role, places, outputs }: Contents): Splice[] | undefined {
  const splices: Splice[] = [];
  for (const place of places) {
    const text = outgoing(place);
    if (text === place.stated) continue;
    if (!place.whole && text === '') return undefined;
    splices.push({ at: place.at, json: JSON.stringify(text) }, ...logprobs(body, place));
  }
  if (item?.edited && (role === 'added' || role === 'done'))
    splices.push(...editedItem(item, body['item'], '/item', role === 'done'));
  for (const { item: repeated, at } of outputs) {
    if (repeated.denied !== undefined)
      splices.push({ at, json: JSON.stringify(standIn(repeated.item, repeated.denied)) });
    else if (repeated.edited) splices.push(...editedItem(repeated, repeated.item, at, true));
  }
  // some imitations repeat the text beside the items
  const response = body['response'] as JsonObject | undefined;
  if (splices.length > 0 && response && Object.hasOwn(response, 'output_text'))
    splices.push({ at: '/response/output_text', remove: true });
  return splices;
}

/** An item that is announced with no arguments yet stays as it is. */
function editedItem({ kind, edited }: StreamedItem, stated: Json | undefined, at: Pointer, whole: boolean): Splice[] {
  if (!kind || !edited) return [];
  const textual = kind.payload.form === 'json' || kind.payload.form === 'text';
  if (!whole && textual && rawPayload(stated as JsonObject, kind) === '') return [];
  return payloadSplices(kind, at, edited.args);
}

const logprobs = (body: Json, { at, whole }: TextPlace): Splice[] =>
  clearedLogprobs(body, whole ? at.slice(0, at.lastIndexOf('/')) : '');
