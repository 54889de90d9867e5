import type { Json } from '../../domain/json.ts';
import type { MessageMark } from '../../ports/dialect.ts';
import { markOf } from '../_shared/mark-text.ts';
import { readArguments } from './arguments.ts';

/** A tool call inside a mark; `raw` is the argument text, compared by value where it is JSON. */
export interface MarkedCall {
  readonly tool: string;
  readonly raw: string;
}

/** The same for a reply as relayed and for the message it becomes in the next request: text and calls, no ids. */
export function assistantMark(text: string, calls: readonly MarkedCall[]): MessageMark {
  return markOf('assistant', () => [text, calls.map(({ tool, raw }) => [tool, readArguments(raw) ?? raw])]);
}

/** What the user said; media by value, since another picture is another message. */
export const userMark = (content: () => Json): MessageMark => markOf('user', content);

export const toolMark = (tool: string, content: () => Json): MessageMark => markOf('tool', () => [tool, content()]);

const COUNTER = /(^|[^0-9a-zA-Z])[0-9]{1,4}$/;

/** True for an id that names one call only; `call_0` and `functions.f:1` come back in every conversation. */
export const isUniqueId = (id: string): boolean => id.length >= 8 && !COUNTER.test(id);
