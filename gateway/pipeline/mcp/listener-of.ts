import { member } from '../../domain/json.ts';
import type { Leg } from './leg.ts';
import { LISTS, type ListListener } from './list-listeners.ts';

const SUBSCRIPTION = 'io.modelcontextprotocol/subscriptionId';

/** The listener a stream is; undefined for a stream that belongs to one call. */
export function listenerOf({ errand, request, era, seat }: Leg): ListListener | undefined {
  const isListening = request === undefined ? era === 'legacy' : request.method === 'subscriptions/listen';
  if (!isListening) return undefined;
  const { reply, room } = errand.visit;
  const wishes = member(request?.doc.value['params'], 'notifications');
  const id = request?.id;
  return {
    server: seat.server,
    message(kind) {
      const list = LISTS.get(kind);
      if (!list || (request && member(wishes, list.wish) !== true)) return undefined;
      const params = id === undefined ? '' : `,"params":{"_meta":{"${SUBSCRIPTION}":${id}}}`;
      return `{"jsonrpc":"2.0","method":"${list.method}"${params}}`;
    },
    send(message) {
      if (reply.started && !reply.gone.aborted) void reply.write(room.wire.event(message));
    },
  };
}
