import { Fault } from '../domain/fault.ts';
import { JsonFault, parseStrict, requireObject } from '../domain/json-text.ts';
import type { Dialect, Envelope, Reading } from '../ports/dialect.ts';
import type { Arrival } from '../ports/identity.ts';
import { holdsHalfCharacter } from './half-character.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Reads a body, or the document that `envelope` makes of it. Throws a Fault (`TG_BAD_REQUEST`) that names what the gate cannot rely on. */
export function readCall(
  dialect: Dialect,
  { body, arrival }: { readonly body: Uint8Array; readonly arrival: Arrival },
  path: string,
  envelope?: Envelope,
): Reading {
  const coding = arrival.headers['content-encoding'];
  if (coding !== undefined && coding !== 'identity')
    throw new Fault(
      'TG_BAD_REQUEST',
      `header \`content-encoding: ${String(coding)}\` is not accepted here; send the body uncompressed`,
    );
  try {
    const doc = requireObject(parseStrict(envelope?.json ?? utf8.decode(body)));
    if (holdsHalfCharacter(doc.value))
      throw new Fault(
        'TG_BAD_REQUEST',
        'the request body cannot be accepted: a text holds half a character (a lone `\\ud…` escape); send whole ones',
      );
    return dialect.read(doc, envelope ? Buffer.byteLength(envelope.json) : body.length, arrival.headers, path);
  } catch (error) {
    if (error instanceof JsonFault)
      throw new Fault(
        'TG_BAD_REQUEST',
        `the request body cannot be accepted: ${error.message} (at character ${error.at})`,
        error,
      );
    if (error instanceof TypeError) throw new Fault('TG_BAD_REQUEST', 'the request body is not valid UTF-8', error);
    throw error;
  }
}
