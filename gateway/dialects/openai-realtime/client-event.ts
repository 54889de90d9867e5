import { asString, isObject, type JsonText, member } from '../../domain/json.ts';
import { splice } from '../../domain/json-splice.ts';
import { parseStrict, spanOf } from '../../domain/json-text.ts';
import type { Pointer } from '../../domain/pointer.ts';
import type { Reading } from '../../ports/dialect.ts';
import type { ClientEvent, SpokenBody } from '../../ports/socket-language.ts';
import type { ToolNames } from '../_shared/tool-names.ts';
import { badRequest, optionalObject, optionalString } from '../openai-chat/expect.ts';
import { readBody } from './body.ts';
import type { Context } from './context.ts';

/** Events that carry nothing a model reads as text. What is in no list is not carried: it might be billed. */
const PLAIN = new Set([
  'input_audio_buffer.append',
  'input_audio_buffer.commit',
  'input_audio_buffer.clear',
  'output_audio_buffer.clear',
  'conversation.item.delete',
  'conversation.item.truncate',
  'conversation.item.retrieve',
  'response.cancel',
]);

/** Reads one event of a client. Throws a Fault (`TG_BAD_REQUEST`) that names the field. */
export function readClientEvent(doc: JsonText, bytes: number, context: Context, names: ToolNames): ClientEvent {
  const type = asString(member(doc.value, 'type')) ?? '';
  const id = optionalString(doc.value, 'event_id');
  if (PLAIN.has(type)) return { kind: 'plain', id };
  if (type === 'response.create') {
    optionalObject(doc.value, 'response');
    return { kind: 'call', id, lane: '', body: bodyAt(doc, '/response', bytes, context, names, true) };
  }
  if (type === 'session.update') {
    refuseOtherSession(doc, context);
    return { kind: 'context', id, body: bodyAt(doc, '/session', bytes, context, names, false) };
  }
  if (type === 'conversation.item.create') return { kind: 'context', id, body: itemBody(doc, bytes, context, names) };
  throw badRequest('type', `\`${type.slice(0, 64)}\` is none that this gate carries on a realtime socket`);
}

function refuseOtherSession({ value }: JsonText, context: Context): void {
  const session = member(value, 'session');
  if (!isObject(session)) throw badRequest('session', 'must be an object');
  if ((session['type'] ?? 'realtime') !== 'realtime')
    throw badRequest('session.type', 'must be `realtime`: this gate meters responses');
  const model = optionalString(session, 'model', 'session.model') ?? context.model;
  if (model !== context.model)
    throw badRequest('session.model', `cannot change: this socket asks \`${context.model}\``);
}

/** A body that stands in the event; where it may be absent it is an empty one. */
function bodyAt(
  { text }: JsonText,
  at: Pointer,
  bytes: number,
  context: Context,
  names: ToolNames,
  asks: boolean,
): SpokenBody {
  const span = spanOf(text, at);
  const stated = span ? text.slice(span.start, span.end) : 'null';
  const own = parseStrict(stated === 'null' ? '{}' : stated);
  const read = (doc: JsonText, size: number): Reading => readBody(doc, size, context, names, asks);
  return { reading: read(own, bytes), read, message: (body) => splice(text, { at, json: body }) };
}

/** An item as the only one of an `input`. */
function itemBody({ text, value }: JsonText, bytes: number, context: Context, names: ToolNames): SpokenBody {
  const span = spanOf(text, '/item');
  if (!span || !isObject(member(value, 'item'))) throw badRequest('item', 'must be an object');
  const own = parseStrict(`{"input":[${text.slice(span.start, span.end)}]}`);
  const read = (doc: JsonText, size: number): Reading => readBody(doc, size, context, names, false);
  return {
    reading: read(own, bytes),
    read,
    message(body) {
      const item = spanOf(body, '/input/0');
      if (!item) throw new RangeError('nothing stands at `/input/0`');
      return splice(text, { at: '/item', json: body.slice(item.start, item.end) });
    },
  };
}
