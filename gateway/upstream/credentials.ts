import type { UpstreamRequest } from '../ports/upstream.ts';

/** Headers with the gate's credential in the place of the caller's, which `forwardRequestHeaders` dropped; undefined: the caller's passes. */
export function applyCredential(
  headers: Record<string, string | string[]>,
  credential: UpstreamRequest['credential'],
): Record<string, string | string[]> {
  if (credential === undefined) return headers;
  if ('bearer' in credential) return { ...headers, authorization: `Bearer ${credential.bearer}` };
  return { ...headers, [credential.header.toLowerCase()]: credential.value };
}
