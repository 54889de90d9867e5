import { asString, isObject, type Json, type JsonObject } from '../../domain/json.ts';
import { JsonFault, parseStrict } from '../../domain/json-text.ts';
import type { ProposedCall } from '../../ports/dialect.ts';
import { stringParts } from '../_shared/string-parts.ts';

/**
 * The call a block proposes. `streamed` is its arguments' text as it came in pieces; '' where the block itself carries them.
 * Arguments that two parsers could read differently count as malformed.
 */
export function proposedCall(slot: string, block: JsonObject, streamed: string): ProposedCall {
  const read = streamed === '' ? argumentsOf(block['input']) : parsedArguments(streamed);
  const server = asString(block['toolset_name']);
  return {
    slot,
    callId: asString(block['id']) ?? '',
    tool: asString(block['name']) ?? '',
    ...(server !== undefined && { server }),
    ...read,
    parts: stringParts(read.args),
  };
}

type Arguments = Pick<ProposedCall, 'args' | 'malformed'>;

function argumentsOf(input: Json | undefined): Arguments {
  if (input === undefined || input === null) return { args: {}, malformed: false };
  return isObject(input) ? { args: input, malformed: false } : { args: JSON.stringify(input), malformed: true };
}

function parsedArguments(text: string): Arguments {
  try {
    const { value } = parseStrict(text);
    return isObject(value) ? { args: value, malformed: false } : { args: text, malformed: true };
  } catch (error) {
    if (error instanceof JsonFault) return { args: text, malformed: true };
    throw error;
  }
}
