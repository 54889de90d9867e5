import { readFileSync, rmSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { openSpool } from '../../gateway/audit/spool.ts';
import { chatStream } from '../anomaly/scenarios.ts';
import { startChildGate } from '../support/child-gate.ts';
import { writeConfig } from '../support/gate.ts';
import { post } from '../support/raw-http.ts';

const STREAMS = 2000;
const pieces = chatStream(['one ', 'two '], []);
const ask = JSON.stringify({
  model: 'gpt-4o',
  max_completion_tokens: 100,
  stream: true,
  stream_options: { include_usage: true },
  messages: [{ role: 'user', content: 'go' }],
});

const open: ServerResponse[] = [];
const upstream = createServer((request, response) => {
  request.resume();
  request.on('end', () => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(pieces.slice(0, 2).join(''));
    open.push(response);
  });
});
await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', 4096, resolve));
const config = writeConfig({
  upstreams: {
    openai: { base_url: `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`, dialects: ['openai-chat'] },
  },
  config: { budgets: [{ scope: 'tenant', limit_usd: 1000 }], limits: { keep_alive_s: 1, lease_s: 3 } },
});

afterAll(() => {
  upstream.closeAllConnections();
  upstream.close();
  rmSync(dirname(config), { recursive: true, force: true });
});

/** Resident memory of a process in megabytes, as Linux tells it; undefined elsewhere. */
function residentMb(pid: number): number | undefined {
  if (process.platform !== 'linux') return undefined;
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}

/** One stream on a connection of its own: resolves with everything received once the gate closes it. */
function stream(port: number, n: number, onWords: () => void): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(port, '127.0.0.1', () =>
      socket.write(post(`/run/r${n}/openai/v1/chat/completions`, ask, { connection: 'close' })),
    );
    socket.on('data', (chunk: Buffer) => {
      const before = text.includes('one ');
      text += chunk.toString();
      if (!before && text.includes('one ')) onWords();
    });
    socket.on('end', () => resolve(text));
    socket.on('error', reject);
  });
}

describe('2,000 idle streams', () => {
  it('stay open in one process, each for little memory, and all complete', { timeout: 180_000 }, async () => {
    const gate = await startChildGate(config);
    const port = Number(new URL(gate.url).port);
    const before = residentMb(gate.pid);
    let speaking = 0;
    const speaks = (): void => {
      speaking += 1;
    };
    const all: Promise<string>[] = [];
    while (all.length < STREAMS) {
      // in waves, so that no listen queue of the machine decides this test
      for (let i = 0; i < 100; i += 1) all.push(stream(port, all.length, speaks));
      while (speaking < all.length) await Promise.race([sleep(10), ...all.slice(-100)]);
    }
    const ends = Promise.all(all);
    await sleep(1500);
    expect(open).toHaveLength(STREAMS);
    const during = residentMb(gate.pid);
    if (before !== undefined && during !== undefined) {
      console.log(
        `${STREAMS} idle streams: ${before.toFixed(0)} MB before, ${during.toFixed(0)} MB open, ${(((during - before) * 1024) / STREAMS).toFixed(0)} KB each`,
      );
      expect(during - before).toBeLessThan(400);
    }
    const metrics = await (await fetch(`${gate.office}/metrics`)).text();
    expect(metrics).toMatch(new RegExp(`in_flight[^\\n]* ${STREAMS}\\n`));
    for (const response of open) response.end(pieces.slice(2).join(''));
    const texts = await ends;
    expect(texts.filter((text) => !text.includes('data: [DONE]') || !text.endsWith('0\r\n\r\n'))).toEqual([]);
    // a call is sealed after its last byte; a stop waits for that
    expect(await gate.end('SIGTERM')).toBe(0);
    const spool = await openSpool(join(dirname(config), 'data', 'spool'));
    let sealed = 0;
    for await (const { entry } of spool.read(1))
      if (entry.kind === 'seal' && entry.ending === 'completed' && entry.certainty === 'exact') sealed += 1;
    await spool.close();
    expect(sealed).toBe(STREAMS);
  });
});
