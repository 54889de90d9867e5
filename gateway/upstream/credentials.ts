import type { UpstreamRequest } from '../ports/upstream.ts';
import { sigv4 } from './sigv4.ts';

type Outgoing = Record<string, string | string[]>;

/**
 * Headers with the gate's credential in the place of the caller's, which `forwardRequestHeaders` dropped; undefined: the caller's passes.
 * `now` is when the request is signed, where it is.
 */
export function applyCredential(
  headers: Outgoing,
  request: Pick<UpstreamRequest, 'credential' | 'origin' | 'method' | 'path' | 'body'>,
  now: Date,
): Outgoing {
  const { credential } = request;
  if (credential === undefined) return headers;
  if ('bearer' in credential) return { ...headers, authorization: `Bearer ${credential.bearer}` };
  if ('header' in credential) return { ...headers, [credential.header.toLowerCase()]: credential.value };
  // what proxies on the way may change is not signed
  const type = headers['content-type'];
  const signed = { host: new URL(request.origin).host, ...(typeof type === 'string' && { 'content-type': type }) };
  return { ...headers, ...sigv4({ ...request, headers: signed }, credential.sigv4, now) };
}
