import { type JsonObject, member } from '../../domain/json.ts';
import { heartbeat } from '../heartbeat.ts';
import { gateHeaders } from '../say.ts';
import { errandTo, type FederatedListen, federatedPeers } from './federated-ask.ts';
import { watchLeg } from './leg.ts';
import { LISTS } from './list-listeners.ts';

const SUBSCRIPTION = 'io.modelcontextprotocol/subscriptionId';
/** Lists whose changes the gate notices itself: by an approval, a quarantine, other rules, or the next list that passes. */
const NOTICED = ['tool', 'prompt'] as const;

/**
 * A stream of the gate's own on the federated endpoint, which tells when a list looks different now. Servers' own streams are not joined:
 * what they would tell of their lists is noticed when the next list passes.
 */
export async function federatedListen(ask: FederatedListen): Promise<void> {
  const { visit, message, principal, session } = ask;
  const { reply, room, gate, trail } = visit;
  const peers = federatedPeers(ask);
  const [first] = peers;
  const wishes = member(message?.doc.value['params'], 'notifications');
  const heard = NOTICED.filter((kind) => message === undefined || member(wishes, LISTS.get(kind)?.wish ?? '') === true);
  trail.stream = true;
  trail.status = 200;
  trail.ending = 'completed';
  trail.firstByteTicks = gate.clock.ticks();
  reply.head(200, {
    ...gateHeaders(trail),
    'content-type': 'text/event-stream',
    'cache-control': 'no-cache',
    'x-accel-buffering': 'no',
  });
  const send = (text: string): void => {
    if (!reply.gone.aborted) void reply.write(room.wire.event(text));
  };
  if (message)
    send(
      acknowledgement(
        message.id ?? 'null',
        heard.map((kind) => LISTS.get(kind)?.wish ?? ''),
      ),
    );
  else if (!reply.gone.aborted) void reply.write(room.wire.keepAlive);
  if (first && heard.length > 0) {
    const watch = watchLeg(errandTo({ visit, principal, session }, first));
    const due = new Set<string>();
    const flush = (): void => {
      for (const method of due) send(notification(method, message?.id));
      due.clear();
    };
    const stops = peers.map(({ server }) =>
      room.listeners.add({
        server: server.name,
        message: (kind) => (heard.some((k) => k === kind) ? LISTS.get(kind)?.method : undefined),
        send(method) {
          // one event, however many servers' lists changed at once
          if (due.size === 0) queueMicrotask(flush);
          due.add(method);
        },
      }),
    );
    const quiet = heartbeat(gate.limits.keepAliveMs, () => {
      if (!reply.gone.aborted) void reply.write(room.wire.keepAlive);
    });
    await ended(watch.signal);
    quiet();
    for (const stop of stops) stop();
    watch.close();
  }
  if (message) send(`{"jsonrpc":"2.0","id":${message.id ?? 'null'},"result":{"resultType":"complete"}}`);
  reply.end();
}

const ended = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });

/** The first event of a modern stream: what of the wishes is granted. `id` is JSON text. */
function acknowledgement(id: string, wishes: readonly string[]): string {
  const granted: JsonObject = Object.fromEntries(wishes.map((wish) => [wish, true]));
  return `{"jsonrpc":"2.0","method":"notifications/subscriptions/acknowledged","params":{"notifications":${JSON.stringify(granted)},"_meta":{"${SUBSCRIPTION}":${id}}}}`;
}

function notification(method: string, id: string | undefined): string {
  const params = id === undefined ? '' : `,"params":{"_meta":{"${SUBSCRIPTION}":${id}}}`;
  return `{"jsonrpc":"2.0","method":"${method}"${params}}`;
}
