// A simulated provider with one fixed answer, whole or streamed.
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { answerParent } from './answer-parent.ts';
import { ANSWER, EVENTS } from './traffic.ts';

const WHOLE = Buffer.from(ANSWER);
const PIECES = EVENTS.map((event) => Buffer.from(event));
const PACE_MS = 4;

/** The first event at once, then one each few milliseconds: 250 tokens a second, faster than most models. */
function stream(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.write(PIECES[0]);
  let next = 1;
  const timer = setInterval(() => {
    response.write(PIECES[next]);
    next += 1;
    if (next < PIECES.length && !response.destroyed) return;
    clearInterval(timer);
    response.end();
  }, PACE_MS);
}

const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const body = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
    if (body.includes('"stream":true')) return stream(response);
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': WHOLE.length });
    response.end(WHOLE);
  });
});
server.listen(0, '127.0.0.1', () => answerParent((server.address() as AddressInfo).port, async () => undefined));
