import type { ServerResponse } from 'node:http';
import type { Spool } from '../ports/spool.ts';
import { callView } from './views.ts';

/** A reader that falls this far behind is disconnected; it asks again and loses nothing that the index holds. */
const MOST_BUFFERED = 1024 * 1024;
const PING_MS = 15_000;

/** Sends every sealed call as a server-sent event `call` until the reader leaves. */
export function streamCalls(response: ServerResponse, spool: Spool, run: string | undefined): void {
  response.writeHead(200, {
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
  });
  response.write(': tollgate live calls\n\n');
  const unsubscribe = spool.subscribe(({ seq, entry }) => {
    if (entry.kind !== 'seal' || (run !== undefined && entry.principal?.run.id !== run)) return;
    response.write(`id: ${seq}\nevent: call\ndata: ${JSON.stringify(callView(entry))}\n\n`);
    if (response.writableLength > MOST_BUFFERED) response.destroy();
  });
  const ping = setInterval(() => response.write(': ping\n\n'), PING_MS);
  ping.unref();
  response.on('close', () => {
    clearInterval(ping);
    unsubscribe();
  });
}
