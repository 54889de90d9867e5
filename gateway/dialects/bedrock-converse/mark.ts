import { isArray, isObject, type Json, type JsonObject, member } from '../../domain/json.ts';
import type { MessageMark } from '../../ports/dialect.ts';
import { markText } from '../_shared/mark-text.ts';
import type { PlacedBlock } from './content.ts';

/** One thing a message says, reduced to what identifies it. */
export type MarkItem =
  | readonly ['text', string]
  | readonly ['call', Json, Json]
  | readonly ['result', Json]
  | readonly [string, Json];

/**
 * What identifies a message (attribution.md 6): text, tool names, arguments and results; cache points and reasoning left out. Prose
 * that stands in several blocks is one.
 */
export function markOf(role: 'user' | 'assistant', items: readonly MarkItem[]): MessageMark {
  const merged: Json[] = [];
  let prose = '';
  const flush = (): void => {
    if (prose.trim() !== '') merged.push(['text', prose.trim()]);
    prose = '';
  };
  for (const item of items) {
    if (item[0] === 'text') prose += item[1] as string;
    else {
      flush();
      merged.push([...item] as Json);
    }
  }
  flush();
  return { role, canonical: markText(finite(merged)) };
}

/** The items of the blocks of a whole message. */
export const itemsOf = (blocks: readonly PlacedBlock[]): MarkItem[] => blocks.flatMap(({ block }) => itemOf(block));

function itemOf(block: JsonObject): MarkItem[] {
  if (typeof block['text'] === 'string') return [['text', block['text']]];
  const call = block['toolUse'];
  if (isObject(call)) return [['call', call['name'] ?? '', call['input'] ?? {}]];
  const result = block['toolResult'];
  if (isObject(result)) return [['result', result['content'] ?? null]];
  for (const name of ['image', 'document', 'video', 'audio']) {
    const source = member(block[name], 'source');
    if (source !== undefined) return [[name, sourceMark(source)]];
  }
  return [];
}

/** Large data stands for itself by its size and its end. */
function sourceMark(source: Json): Json {
  const bytes = member(source, 'bytes');
  return typeof bytes === 'string' ? [bytes.length, bytes.slice(-64)] : source;
}

/** JSON can spell numbers that a double cannot hold (`1e400`); they have no canonical form and stand as text. */
function finite(value: Json): Json {
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (isArray(value)) return value.map(finite);
  if (isObject(value)) return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, finite(item)]));
  return value;
}
