import { asString, type JsonObject, member } from '../../domain/json.ts';
import { type Splice, spliceAll } from '../../domain/json-splice.ts';
import { JsonFault, parseStrict } from '../../domain/json-text.ts';
import { objectIn } from '../_shared/object-in.ts';
import { sseFields, withData } from '../_shared/sse.ts';

/** One event of a streamed response, read. */
export interface StreamEvent {
  readonly text: string;
  /** the `event` line, where there is one */
  readonly named: boolean;
  /** `type` of the data, else the `event` line; '' for a comment */
  readonly type: string;
  readonly data: string | undefined;
  /** the data where it is a JSON object; undefined where it is not, though a reader more lenient than ours may read it */
  readonly body: JsonObject | undefined;
}

const decoder = new TextDecoder();

/** Reads an event; what is no JSON object is passed on as it came. */
export function readEvent(bytes: Uint8Array): StreamEvent {
  const text = decoder.decode(bytes);
  const { event, data } = sseFields(text);
  const body = data === undefined ? undefined : objectIn(data);
  return { text, named: event !== undefined, type: asString(member(body, 'type')) ?? event ?? '', data, body };
}

/** The event with splices made in its data. Throws a RangeError where that is no strict JSON: nothing can land in it. */
export function splicedEvent(event: StreamEvent, splices: readonly Splice[]): string {
  if (splices.length === 0) return event.text;
  const data = event.data ?? '';
  try {
    parseStrict(data);
  } catch (error) {
    if (error instanceof JsonFault)
      throw new RangeError(`the event \`${event.type}\` cannot be edited: ${error.message}`);
    throw error;
  }
  return withData(event.text, spliceAll(data, splices));
}

/** A further event of the gate's own, in the style of the one it stands beside. */
export function furtherEvent(beside: StreamEvent, type: string, body: JsonObject): string {
  const newline = /\r\n|\n|\r/.exec(beside.text)?.[0] ?? '\n';
  const name = beside.named ? `event: ${type}${newline}` : '';
  return `${name}data: ${JSON.stringify(body)}${newline}${newline}`;
}
