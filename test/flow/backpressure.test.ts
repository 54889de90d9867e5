import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { chatStream } from '../anomaly/scenarios.ts';
import { startTestGate, type TestGate } from '../support/gate.ts';
import { post } from '../support/raw-http.ts';

let gate: TestGate;
let upstream: Server;

afterEach(async () => {
  await gate.remove();
  upstream.closeAllConnections();
  await new Promise((resolve) => upstream.close(resolve));
});

const MEGA = 1024 * 1024;
const TOTAL = 200 * MEGA;

describe('a client that stops reading', () => {
  it('stops the upstream, bounds memory, and gets every byte once it reads on', { timeout: 180_000 }, async () => {
    const [head, , ...tail] = chatStream(['x'], []) as [string, string, ...string[]];
    const filler = Buffer.from(
      `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'gpt-4o', choices: [{ index: 0, delta: { content: 'y'.repeat(64 * 1024) }, finish_reason: null }] })}\n\n`,
    );
    // the provider states what so much text is: less would not be believed
    const usage = tail.findIndex((piece) => piece.includes('"usage":{'));
    tail[usage] = (tail[usage] as string).replace(
      '"completion_tokens":5,"total_tokens":14',
      '"completion_tokens":250000000,"total_tokens":250000009',
    );
    const sent = createHash('sha256');
    let accepted = 0;
    upstream = createServer(async (request, response) => {
      request.resume();
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const write = async (bytes: Buffer): Promise<void> => {
        sent.update(bytes);
        accepted += bytes.length;
        if (!response.write(bytes)) await once(response, 'drain');
      };
      await write(Buffer.from(head));
      while (accepted < TOTAL) await write(filler);
      for (const piece of tail) await write(Buffer.from(piece));
      response.end();
    });
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
    const origin = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`;
    gate = await startTestGate({
      upstreams: { openai: { base_url: origin, dialects: ['openai-chat'] } },
      config: { limits: { shutdown_s: 1 } },
    });

    const socket = connect(gate.running.data.port, '127.0.0.1');
    const body = JSON.stringify({
      model: 'gpt-4o',
      stream: true,
      stream_options: { include_usage: true },
      messages: [{ role: 'user', content: 'go' }],
    });
    // closes after one answer, so that the end of the connection is the end of the answer
    socket.write(post('/run/r/openai/v1/chat/completions', body, { connection: 'close' }));
    const stream = socket.pause();
    // until nothing moved for a second and a half
    let stalledAt = -1;
    while (stalledAt !== accepted || accepted === 0) {
      stalledAt = accepted;
      await sleep(1500);
    }
    const memory = process.memoryUsage().rss;
    await sleep(500);
    // what is on its way sits in kernel buffers: a few megabytes on loopback
    expect(accepted).toBe(stalledAt);
    expect(stalledAt).toBeLessThan(16 * MEGA);
    expect(process.memoryUsage().rss - memory).toBeLessThan(32 * MEGA);

    const got = createHash('sha256');
    let size = 0;
    for await (const piece of unchunked(stream)) {
      got.update(piece);
      size += piece.length;
    }
    expect(size).toBe(accepted);
    expect(got.digest('hex')).toBe(sent.digest('hex'));
    expect((await gate.sealed(1))[0]).toMatchObject({ ending: 'completed', certainty: 'exact' });
  });
});

/** The body of one chunked HTTP answer (RFC 9112 7.1), head left out. */
async function* unchunked(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0);
  let inBody = false;
  let left = 0;
  for await (const data of source) {
    rest = rest.length === 0 ? data : Buffer.concat([rest, data]);
    if (!inBody) {
      const end = rest.indexOf('\r\n\r\n');
      if (end === -1) continue;
      rest = rest.subarray(end + 4);
      inBody = true;
    }
    for (;;) {
      if (left > 0) {
        const take = rest.subarray(0, left);
        left -= take.length;
        rest = rest.subarray(take.length);
        if (take.length > 0) yield take;
        if (left > 0) break;
        left = -2;
      }
      if (left === -2) {
        if (rest.length < 2) break;
        rest = rest.subarray(2);
        left = 0;
      }
      const line = rest.indexOf('\r\n');
      if (line === -1) break;
      left = Number.parseInt(rest.subarray(0, line).toString(), 16);
      rest = rest.subarray(line + 2);
      if (left === 0) return;
    }
  }
}
