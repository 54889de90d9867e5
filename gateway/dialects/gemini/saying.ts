import type { Saying } from '../../ports/dialect.ts';

const encoder = new TextEncoder();

/** Canonical codes (https://cloud.google.com/apis/design/errors) for the statuses that the gate speaks. */
const STATUSES: Readonly<Record<number, string>> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  402: 'RESOURCE_EXHAUSTED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  405: 'UNIMPLEMENTED',
  413: 'INVALID_ARGUMENT',
  501: 'UNIMPLEMENTED',
  502: 'UNAVAILABLE',
  503: 'UNAVAILABLE',
  504: 'DEADLINE_EXCEEDED',
};

/** The error object of Google APIs; code, rule and reason of ours stand in its `ErrorInfo`. */
export function errorBody({ code, status, message, rule, reason }: Saying): string {
  const info = {
    '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
    reason: code,
    domain: 'tollgate',
    metadata: { ...(rule !== undefined && { rule }), ...(reason !== undefined && { reason }) },
  };
  return JSON.stringify({ error: { code: status, message, status: STATUSES[status] ?? 'INTERNAL', details: [info] } });
}

export const errorEvents = (saying: Saying): Uint8Array => encoder.encode(`data: ${errorBody(saying)}\n\n`);

/** The same as the last element of a streamed array; `sent`: the last bytes that went out. */
export function errorElement(saying: Saying, sent: Uint8Array | undefined): Uint8Array {
  const last = sent?.findLast((byte) => !/\s/.test(String.fromCharCode(byte)));
  const lead = last === undefined ? '[' : last === '['.charCodeAt(0) ? '' : ',';
  return encoder.encode(`${lead}${errorBody(saying)}]`);
}

/** White space keeps both framings what they are. */
export const keepAlive: Uint8Array = encoder.encode('\n');
