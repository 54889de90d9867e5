import { Fault } from '../domain/fault.ts';
import type { Arrival } from '../ports/identity.ts';

/** RFC 7230: what a subprotocol's name is made of. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** An upgrade with its credential where every other request has it. */
interface Protocols {
  readonly arrival: Arrival;
  /** what the caller offers, credentials left out */
  readonly protocols: readonly string[];
}

/**
 * Takes the credential out of the subprotocols, where browsers have to put it, and into the header that says the same. A header that is
 * there already stays. Throws a Fault (`TG_BAD_REQUEST`) for what is no list of names.
 */
export function readProtocols(arrival: Arrival, credentialProtocol: string): Protocols {
  const stated = arrival.headers['sec-websocket-protocol'];
  const names = (typeof stated === 'string' ? stated : (stated ?? []).join(','))
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  if (!names.every((name) => TOKEN.test(name)) || new Set(names).size < names.length)
    throw new Fault('TG_BAD_REQUEST', 'header `sec-websocket-protocol` must be a list of different names');
  const credential = names.find((name) => name.startsWith(credentialProtocol))?.slice(credentialProtocol.length);
  const protocols = names.filter((name) => !name.startsWith(credentialProtocol));
  const { 'sec-websocket-protocol': _, ...headers } = arrival.headers;
  const moved =
    credential !== undefined && credential !== '' && headers['authorization'] === undefined
      ? { ...headers, authorization: `Bearer ${credential}` }
      : headers;
  return { arrival: { ...arrival, headers: moved }, protocols };
}
