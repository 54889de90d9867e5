import { Fault } from '../domain/fault.ts';
import { isObject, type Json, type JsonObject, type JsonText } from '../domain/json.ts';
import { JsonFault, parseStrict, requireObject } from '../domain/json-text.ts';
import type { SocketMessage } from '../ports/socket.ts';
import { holdsHalfCharacter } from './half-character.ts';

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** A client's message as strict JSON. Throws a Fault (`TG_BAD_REQUEST`) that says what is wrong with it. */
export function clientMessage({ bytes, binary }: SocketMessage): JsonText {
  if (binary)
    throw new Fault(
      'TG_BAD_REQUEST',
      'binary messages are not read on this socket; send JSON as text, sound as base64',
    );
  try {
    const doc = requireObject(parseStrict(strict.decode(bytes)));
    if (holdsHalfCharacter(doc.value))
      throw new Fault(
        'TG_BAD_REQUEST',
        'the message cannot be accepted: a text holds half a character (a lone `\\ud…` escape); send whole ones',
      );
    return doc;
  } catch (error) {
    if (error instanceof JsonFault)
      throw new Fault(
        'TG_BAD_REQUEST',
        `the message cannot be accepted: ${error.message} (at character ${error.at})`,
        error,
      );
    if (error instanceof TypeError) throw new Fault('TG_BAD_REQUEST', 'the message is not valid UTF-8', error);
    throw error;
  }
}

/** A provider's message; undefined where it is none that can be metered and judged. */
export function providerMessage({ bytes, binary }: SocketMessage): JsonObject | undefined {
  if (binary) return undefined;
  try {
    const value = JSON.parse(strict.decode(bytes)) as Json;
    return isObject(value) ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return undefined;
    throw error;
  }
}
