import type { TextPart } from '../../domain/action.ts';
import { Fault } from '../../domain/fault.ts';
import { isArray, isObject, type Json, type JsonObject, type JsonText, member } from '../../domain/json.ts';
import type { Deferred, ProposedCall, Reading, ReplyReading } from '../../ports/dialect.ts';
import { append } from '../_shared/append.ts';
import { stringParts } from '../_shared/string-parts.ts';
import { assistantMark, isUniqueId, type MarkedCall } from '../openai-chat/mark.ts';
import { callIdOf, callKind, isVisible, itemId, itemTexts, markedCall, readCall } from './item.ts';
import { denseItem, Meter } from './meter.ts';
import { imageModel } from './usage.ts';

/** The slot of the call that stands at this place in `output`. */
export const outputSlot = (index: number): string => `output/${index}`;

/** The items of `output`; what is no object keeps its place as an empty one. */
export function outputItems(body: Json | undefined): JsonObject[] {
  const output = member(body, 'output');
  return (isArray(output) ? output : []).map((item) => (isObject(item) ? item : {}));
}

/**
 * Reads a complete response. One that only has been queued (`background`) states no usage: it is a floor of nothing, so its hold
 * stays. Throws a Fault (`TG_UPSTREAM_UNREADABLE`) where it has no list of output items.
 */
export function readReply(doc: JsonText, reading?: Reading): ReplyReading {
  const body = doc.value;
  if (!isArray(member(body, 'output')))
    throw new Fault('TG_UPSTREAM_UNREADABLE', 'the reply is no response: it has no list of `output`');
  const meter = new Meter(imageModel(reading?.doc.value ?? null));
  meter.take(body);
  const items = outputItems(body);
  const calls: ProposedCall[] = [];
  const marked: MarkedCall[] = [];
  const parts: TextPart[] = [];
  const texts: string[] = [];
  for (const [i, item] of items.entries()) {
    const found = itemTexts(item);
    append(
      parts,
      found.flatMap(({ at, text }) => stringParts(text, `/output/${i}${at}`)),
    );
    append(
      texts,
      found.filter(isVisible).map(({ text }) => text),
    );
    const kind = callKind(item);
    if (!kind) continue;
    calls.push(readCall(outputSlot(i), item, kind));
    marked.push(markedCall(item, kind));
  }
  // some imitations repeat the text beside the items
  const repeated = member(body, 'output_text');
  if (typeof repeated === 'string') append(parts, stringParts(repeated, '/output_text'));
  return {
    usage: meter.usage(
      items,
      items.reduce((sum, item) => sum + denseItem(item), 0),
    ),
    servedModel: meter.model,
    calls,
    parts,
    text: texts.filter((text) => text !== '').join('\n'),
    issuedIds: issuedIds(itemId(body), items),
    mark: assistantMark(texts.join(''), marked),
    ...(isOpen(body) && { deferred: laterUnder(itemId(body)) }),
  };
}

/** A running response may take a day; two hours more are left to ask for it. */
const WITHIN_MS = 26 * 3_600_000;

/** What a response that still runs in the background leaves open; nothing where it cannot be asked for. */
export const laterUnder = (id: string): Deferred | undefined =>
  id === '' ? undefined : { object: id, withinMs: WITHIN_MS };

/** It still runs. One that is `cancelled` without its usage may yet complete: that was seen. */
function isOpen(body: Json): boolean {
  const status = member(body, 'status');
  if (status === 'queued' || status === 'in_progress') return true;
  return status === 'cancelled' && (member(body, 'usage') ?? null) === null;
}

/** The ids by which a response or anything in it can come back. */
export const issuedIds = (response: string, items: readonly JsonObject[]): string[] => [
  ...new Set([response, ...items.flatMap((item) => [callIdOf(item), itemId(item)])].filter(isUniqueId)),
];
