import type { Json } from '../../domain/json.ts';
import type { Saying } from '../../ports/dialect.ts';
import { errorBody } from '../openai-chat/saying.ts';

/** What the gate's own event ids begin with, so that an answer to one of them is known as such. */
export const OWN_EVENT = 'event_tollgate_';

/** The `error` event of the Realtime API; `about` is the client's id of the event it answers. */
export function errorEvent(saying: Saying, about: string | undefined, eventId: string): string {
  const { error } = JSON.parse(errorBody(saying)) as { error: { readonly [name: string]: Json } };
  return JSON.stringify({ type: 'error', event_id: eventId, error: { ...error, event_id: about ?? null } });
}

/** The end of a response that the gate cut: clients wait for it. */
export function failedResponse({ code, message }: Saying, response: string, eventId: string): string {
  const error = { type: code.replace(/^TG_/, 'tollgate_').toLowerCase(), code, message };
  return JSON.stringify({
    type: 'response.done',
    event_id: eventId,
    response: {
      object: 'realtime.response',
      id: response,
      status: 'failed',
      status_details: { type: 'failed', error },
      output: [],
      metadata: null,
      usage: null,
    },
  });
}
