import type { Saying } from '../../ports/dialect.ts';

/** The API's error types by status: https://platform.claude.com/docs/en/api/errors */
const TYPES: Readonly<Record<number, string>> = {
  401: 'authentication_error',
  402: 'billing_error',
  403: 'permission_error',
  404: 'not_found_error',
  408: 'timeout_error',
  409: 'conflict_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  503: 'overloaded_error',
  504: 'timeout_error',
  529: 'overloaded_error',
};

/** Wording of the provider that clients act on by themselves: compact, log in again, retry without a field (attribution.md 8.6). */
const ACTED_ON: readonly (readonly [RegExp, string])[] = [
  [/prompt is too long/gi, 'prompt is over the size allowed here'],
  [/context (window|limit|length)/gi, 'size of the conversation'],
  [/credit balance/gi, 'funds'],
  [/input length and/gi, 'size of the input and'],
  [/invalid (x-api-key|bearer token|api key)/gi, 'unknown key'],
  [/oauth token/gi, 'login'],
  [/usage limit reached/gi, 'allowance used up'],
  [/request too large/gi, 'request over the size allowed here'],
  [/exceeds? (the )?maximum/gi, 'is over what is allowed'],
];

/** The body of an error answer; `tollgate` says which rule spoke, for programs. */
export function errorBody({ code, status, message, rule, reason }: Saying): string {
  const type = TYPES[status] ?? (status >= 500 ? 'api_error' : 'invalid_request_error');
  const ours = ACTED_ON.reduce((text, [wording, plain]) => text.replace(wording, plain), message);
  return JSON.stringify({
    type: 'error',
    error: { type, message: ours },
    tollgate: { code, ...(rule !== undefined && { rule }), ...(reason !== undefined && { reason }) },
  });
}

const encoder = new TextEncoder();

/** The error as the last event of a stream. */
export function errorEvents(saying: Saying): Uint8Array {
  return encoder.encode(`event: error\ndata: ${errorBody(saying)}\n\n`);
}

/** A `ping`: part of the protocol at any place in a stream; every client has to skip it. */
export const keepAlive: Uint8Array = encoder.encode('event: ping\ndata: {"type": "ping"}\n\n');
