import type { TextPart } from '../../domain/action.ts';
import { isObject, type Json } from '../../domain/json.ts';
import { JsonFault, parseStrict } from '../../domain/json-text.ts';
import type { ProposedCall } from '../../ports/dialect.ts';
import { stringParts } from '../_shared/string-parts.ts';

/** A tool call as the wire shows it: arguments are text that should be a JSON object, a custom tool's input is free text. */
export interface WireCall {
  readonly slot: string;
  readonly callId: string;
  readonly tool: string;
  readonly raw: string;
  readonly custom: boolean;
  /** its pieces contradict each other: two names for one call */
  readonly torn?: boolean;
}

/** Reads a whole call. No arguments at all are an empty object; a custom tool's input is judged as the string it is. */
export function proposedCall(call: WireCall): ProposedCall {
  const { slot, callId, tool, raw } = call;
  const args: Json | undefined = call.custom && !call.torn ? raw : call.torn ? undefined : readArguments(raw);
  const malformed = args === undefined;
  const parts: TextPart[] = stringParts(args ?? raw);
  return { slot, callId, tool, args: args ?? raw, parts, malformed };
}

/** The object that argument text holds; undefined where two readers could take it for different things. */
export function readArguments(raw: string): Json | undefined {
  if (raw.trim() === '') return {};
  try {
    const { value } = parseStrict(raw);
    return isObject(value) ? value : undefined;
  } catch (error) {
    if (error instanceof JsonFault) return undefined;
    throw error;
  }
}

/** Arguments as the wire carries them. */
export const wireArguments = (args: Json): string => (typeof args === 'string' ? args : JSON.stringify(args));
