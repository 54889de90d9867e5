import type { Saying } from '../../ports/dialect.ts';

const encoder = new TextEncoder();

/**
 * The error object of the OpenAI API. `type` is our code in their style; `rule` and `reason` are ours and ignored by clients that
 * do not know them.
 */
export function errorBody({ code, message, rule, reason }: Saying): string {
  const type = code.replace(/^TG_/, 'tollgate_').toLowerCase();
  return JSON.stringify({ error: { message, type, param: null, code, rule, reason } });
}

/** The event that the official SDKs raise as an APIError; nothing may follow it. */
export const errorEvents = (saying: Saying): Uint8Array => encoder.encode(`data: ${errorBody(saying)}\n\n`);

export const keepAlive: Uint8Array = encoder.encode(': keep-alive\n\n');
