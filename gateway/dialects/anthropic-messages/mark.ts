import { isArray, isObject, type Json, type JsonObject, member } from '../../domain/json.ts';
import type { MessageMark } from '../../ports/dialect.ts';
import { markOf as lazyMark } from '../_shared/mark-text.ts';
import { blockType, isCallType, isProviderCallType, objectsOf } from './block.ts';

/**
 * What identifies a message (attribution.md 6): its text, tool names, arguments and results. Left out, because clients move,
 * drop or rewrite them between turns: cache markers, thinking, block borders inside text, white space around it.
 */
export function markOf(role: 'user' | 'assistant', content: Json | undefined): MessageMark {
  return lazyMark(role, () => finite(items(content)));
}

function items(content: Json | undefined): Json[] {
  const found: Json[] = [];
  let prose = '';
  const flush = (): void => {
    const text = prose.trim();
    if (text !== '') found.push(['text', text]);
    prose = '';
  };
  if (typeof content === 'string') prose = content;
  for (const { block } of objectsOf(content)) {
    if (blockType(block) === 'text') {
      prose += typeof block['text'] === 'string' ? block['text'] : '';
      continue;
    }
    const item = itemOf(block);
    if (item === undefined) continue;
    flush();
    found.push(item);
  }
  flush();
  return found;
}

function itemOf(block: JsonObject): Json | undefined {
  const type = blockType(block);
  if (isCallType(type) || isProviderCallType(type)) return ['call', block['name'] ?? '', block['input'] ?? {}];
  if (type === 'tool_result') return ['result', items(block['content'])];
  if (type === 'image' || type === 'document') return [type, sourceOf(block)];
  return undefined;
}

/** Large data stands for itself by its size and its end: enough to tell two files apart, cheap to hash every turn. */
function sourceOf(block: JsonObject): Json {
  const source = block['source'];
  const body = member(source, 'data') ?? member(source, 'url') ?? member(source, 'file_id');
  return typeof body === 'string' ? [body.length, body.slice(-64)] : items(member(source, 'content'));
}

/** JSON can spell numbers that a double cannot hold (`1e400`); they have no canonical form and stand as text. */
function finite(value: Json): Json {
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (isArray(value)) return value.map(finite);
  if (isObject(value)) return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, finite(item)]));
  return value;
}
