import { isArray, isObject, type Json } from '../../domain/json.ts';
import type { MessageMark } from '../../ports/dialect.ts';
import { markText } from '../_shared/mark-text.ts';

export interface MarkedCall {
  readonly tool: string;
  readonly args: Json;
}

/** The same for a reply as relayed and for the contents it becomes in the next request: visible text and calls, no ids. */
export function modelMark(text: string, calls: readonly MarkedCall[]): MessageMark {
  return mark('assistant', [text.trim(), calls.map(({ tool, args }) => [tool, args])]);
}

/** What the user said; media by value. */
export const userMark = (content: Json): MessageMark => mark('user', content);

export const resultMark = (tool: string, content: Json): MessageMark => mark('tool', [tool, content]);

const mark = (role: MessageMark['role'], value: Json): MessageMark => ({ role, canonical: markText(finite(value)) });

/** JSON can spell numbers that a double cannot hold (`1e400`); they have no canonical form and stand as text. */
function finite(value: Json): Json {
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (isArray(value)) return value.map(finite);
  if (isObject(value)) return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, finite(item)]));
  return value;
}

const COUNTER = /(^|[^0-9a-zA-Z])[0-9]{1,4}$/;

/** True for an id that names one call only. */
export const isUniqueId = (id: string): boolean => id.length >= 8 && !COUNTER.test(id);

const TAIL = 48;

/** A thought signature as an id: it is issued once and comes back unchanged; its end is as unique as the whole. */
export const signatureId = (signature: string): string | undefined =>
  signature.length >= 2 * TAIL ? `signature:${signature.slice(-TAIL)}` : undefined;
