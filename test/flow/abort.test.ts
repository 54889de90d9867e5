import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { chatStream } from '../anomaly/scenarios.ts';
import { startTestGate, type TestGate } from '../support/gate.ts';
import { post, rawConnection } from '../support/raw-http.ts';
import { stopwatch } from '../support/stopwatch.ts';
import { completion, json, startUpstream, type TestUpstream } from '../support/upstream.ts';

let gate: TestGate;
let upstream: TestUpstream;

afterEach(async () => {
  await gate.remove();
  await upstream.close();
});

const PATH = '/run/r/openai/v1/chat/completions';
const pieces = chatStream(['one ', 'two ', 'three '], []);
const ask = (more: object = {}): string =>
  JSON.stringify({ model: 'gpt-4o', max_completion_tokens: 100, messages: [{ role: 'user', content: 'go' }], ...more });
const EXACT = '0.0000725';

/** `go` lets the upstream finish; `closed` says when it lost its own connection. */
async function open(limits: Record<string, unknown>): Promise<{ go: () => void; closed: Promise<number> }> {
  let go: () => void = () => {};
  const wait = new Promise<void>((resolve) => (go = resolve));
  let lost: (at: number) => void = () => {};
  const closed = new Promise<number>((resolve) => (lost = resolve));
  upstream = await startUpstream(async (request, response: ServerResponse) => {
    response.on('close', () => lost(performance.now()));
    if (request.body?.['stream'] !== true) {
      await wait;
      return json(response, 200, completion({ content: 'hi' }, undefined, 'gpt-4o'));
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(pieces.slice(0, 2).join(''));
    await wait;
    response.end(pieces.slice(2).join(''));
  });
  gate = await startTestGate({
    upstreams: { openai: { base_url: upstream.url, dialects: ['openai-chat'] } },
    config: { limits, budgets: [{ scope: 'tenant', limit_usd: 1 }] },
  });
  return { go, closed };
}

async function leaveAfterFirstWords(): Promise<void> {
  const raw = rawConnection(gate.url);
  raw.socket.write(post(PATH, ask({ stream: true })));
  await raw.until(/one /);
  raw.socket.destroy();
}

describe('a client that leaves', () => {
  it('drain: the upstream may finish, and its exact usage is the charge', async () => {
    const { go } = await open({ on_abort: 'drain' });
    await leaveAfterFirstWords();
    await sleep(50);
    go();
    expect((await gate.sealed(1))[0]).toMatchObject({ ending: 'client_left', certainty: 'exact', cost_usd: EXACT });
  });

  it('drain: also an answer nobody waits for any more', async () => {
    const { go } = await open({ on_abort: 'drain' });
    const raw = rawConnection(gate.url);
    raw.socket.write(post(PATH, ask()));
    while (upstream.received.length === 0) await sleep(5);
    raw.socket.destroy();
    await sleep(50);
    go();
    expect((await gate.sealed(1))[0]).toMatchObject({ ending: 'client_left', certainty: 'exact', cost_usd: '0.00015' });
  });

  it('drain: not for longer than `drain_s`; then the hold is the charge', async () => {
    const { closed } = await open({ on_abort: 'drain', drain_s: 0.2 });
    await leaveAfterFirstWords();
    await closed;
    const [call] = await gate.sealed(1);
    expect(call).toMatchObject({ ending: 'client_left', certainty: 'floor' });
    expect(Number(call?.cost_usd)).toBeGreaterThan(0.001);
  });

  it('cancel: the upstream loses its connection at once, and the hold is the charge', async () => {
    const { closed } = await open({ on_abort: 'cancel' });
    await leaveAfterFirstWords();
    const left = performance.now();
    expect((await closed) - left).toBeLessThan(500);
    const [call] = await gate.sealed(1);
    expect(call).toMatchObject({ ending: 'client_left', certainty: 'floor' });
    expect(Number(call?.cost_usd)).toBeGreaterThan(0.001);
  });

  it('cancel: also while the upstream has not answered', async () => {
    const { closed } = await open({ on_abort: 'cancel' });
    const raw = rawConnection(gate.url);
    raw.socket.write(post(PATH, ask()));
    while (upstream.received.length === 0) await sleep(5);
    raw.socket.destroy();
    await closed;
    expect((await gate.sealed(1))[0]).toMatchObject({ ending: 'client_left', status: 0 });
  });

  it('by closing only its own side is gone as well, and what it gets is no whole answer', async () => {
    const { go } = await open({ on_abort: 'drain' });
    const raw = rawConnection(gate.url);
    raw.socket.write(post(PATH, ask({ stream: true })));
    await raw.until(/one /);
    raw.socket.end();
    await once(raw.socket, 'end');
    go();
    await raw.closed;
    expect(raw.text()).not.toContain('[DONE]');
    expect((await gate.sealed(1))[0]).toMatchObject({ ending: 'client_left', certainty: 'exact', cost_usd: EXACT });
  });

  it('in the middle of its own request is recorded and nothing is carried', async () => {
    await open({});
    const raw = rawConnection(gate.url);
    raw.socket.write(`POST ${PATH} HTTP/1.1\r\nhost: gate\r\ncontent-length: 1000\r\n\r\n{"model"`);
    await sleep(50);
    raw.socket.destroy();
    expect((await gate.sealed(1))[0]).toMatchObject({ fault: 'TG_BAD_REQUEST', cost_usd: '0' });
    expect(upstream.received).toEqual([]);
  });
});

describe('stopping', () => {
  it('lets a stream finish that can, and seals it', async () => {
    const { go } = await open({ shutdown_s: 5 });
    const answer = fetch(gate.url + PATH, {
      method: 'POST',
      body: ask({ stream: true, stream_options: { include_usage: true } }),
    }).then((r) => r.text());
    while (upstream.received.length === 0) await sleep(5);
    const stopped = gate.stop();
    await sleep(30);
    await expect(fetch(gate.url, { method: 'HEAD' })).rejects.toThrow();
    go();
    expect(await answer).toBe(pieces.join(''));
    await stopped;
    gate = await again();
    expect((await gate.sealed(1))[0]).toMatchObject({ ending: 'completed', cost_usd: EXACT });
  });

  it('cuts what does not end in time, whatever `on_abort` says, and seals every call first', async () => {
    await open({ shutdown_s: 0.2, on_abort: 'drain', drain_s: 30 });
    const raws = Array.from({ length: 20 }, () => {
      const raw = rawConnection(gate.url);
      raw.socket.write(post(PATH, ask({ stream: true })));
      return raw;
    });
    await Promise.all(raws.map((raw) => raw.until(/one /)));
    const took = stopwatch();
    await gate.stop();
    expect(took()).toBeLessThan(3000);
    await Promise.all(raws.map((raw) => raw.closed));
    gate = await again();
    expect(gate.running.recovered).toMatchObject({ lapsed: 0, released: 0 });
    const calls = await gate.sealed(20);
    expect(calls.map((c) => c.ending)).toEqual(Array.from({ length: 20 }, () => 'client_left'));
    for (const { cost_usd } of calls) expect(Number(cost_usd)).toBeGreaterThan(0.001);
  });
});

/** the same gate on the same state, to look into what it left */
function again(): Promise<TestGate> {
  return startTestGate({
    folder: gate.folder,
    upstreams: { openai: { base_url: upstream.url, dialects: ['openai-chat'] } },
  });
}
