import { setTimeout as sleep } from 'node:timers/promises';
import OpenAI, { InternalServerError } from 'openai';
import { afterEach, describe, expect, it } from 'vitest';
import { startTestGate, type TestGate } from '../support/gate.ts';
import { rawConnection } from '../support/raw-http.ts';
import { completion, json, startUpstream, type TestUpstream } from '../support/upstream.ts';

const SEATS = 2;
const usage = { prompt_tokens: 20, completion_tokens: 10, total_tokens: 30 };
const HANDSHAKE =
  'GET /openai/v1/realtime?model=gpt-realtime HTTP/1.1\r\nhost: gate\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n';

let gate: TestGate;
let upstream: TestUpstream;
let answering: PromiseWithResolvers<void>;

afterEach(async () => {
  answering.resolve();
  await gate.remove();
  await upstream.close();
});

/** A gate with two seats before a provider that answers when `answering` resolves. */
async function open(): Promise<void> {
  answering = Promise.withResolvers<void>();
  upstream = await startUpstream(async (_, response) => {
    await answering.promise;
    json(response, 200, completion({ content: 'done' }, usage, 'gpt-4o-mini'));
  });
  gate = await startTestGate({
    upstreams: { openai: { base_url: upstream.url, dialects: ['openai-chat', 'openai-realtime'] } },
    config: { limits: { calls: SEATS }, budgets: [{ scope: 'tenant', limit_usd: 10 }] },
  });
}

const ask = (maxRetries = 0) =>
  new OpenAI({ baseURL: `${gate.url}/openai/v1`, apiKey: 'own', maxRetries }).chat.completions.create({
    model: 'gpt-4o-mini',
    max_completion_tokens: 50,
    messages: [{ role: 'user', content: 'go' }],
  });

/** Takes every seat; resolves once the provider has the calls. */
async function fill(): Promise<ReturnType<typeof ask>[]> {
  const calls = Array.from({ length: SEATS }, () => ask());
  await expect.poll(() => upstream.received.length).toBe(SEATS);
  return calls;
}

describe('a gate that carries as many calls as it may', () => {
  it('refuses the next at once, says when to come back, holds nothing for it and records it', async () => {
    await open();
    const calls = await fill();
    const refused = await ask().catch((error: unknown) => error as InternalServerError);
    expect(refused).toBeInstanceOf(InternalServerError);
    expect(refused).toMatchObject({ status: 503, code: 'TG_OVERLOADED' });
    expect((refused as InternalServerError).message).toContain('limits.calls');
    expect((refused as InternalServerError).headers?.get('retry-after')).toBe('1');
    answering.resolve();
    await Promise.all(calls);
    const sealed = await gate.sealed(SEATS + 1);
    const [turnedAway] = sealed.filter(({ status }) => status === 503);
    expect(turnedAway).toMatchObject({ fault: 'TG_OVERLOADED', ending: 'refused', cost_usd: '0' });
    expect(upstream.received).toHaveLength(SEATS);
  });

  it('has a seat again when a call has ended: an SDK that tries again gets through', async () => {
    await open();
    const calls = await fill();
    const third = ask(3);
    await sleep(100);
    answering.resolve();
    await Promise.all(calls);
    expect((await third).choices[0]?.message.content).toBe('done');
    // a call has its seat until its receipt is written
    expect(await gate.sealed(SEATS + 2)).toHaveLength(SEATS + 2);
    await Promise.all([ask(), ask()]);
  });

  it('refuses a WebSocket too, and one that is refused takes no seat', async () => {
    await open();
    const calls = await fill();
    for (let i = 0; i < SEATS; i += 1) {
      const raw = rawConnection(gate.url);
      raw.socket.write(HANDSHAKE);
      await raw.closed;
      expect(raw.text()).toMatch(/^HTTP\/1.1 503 .*TG_OVERLOADED/s);
    }
    answering.resolve();
    await Promise.all(calls);
    await gate.sealed(2 * SEATS);
    await Promise.all([ask(), ask()]);
  });

  it('still says that it is there, and its office answers', async () => {
    await open();
    await fill();
    expect((await fetch(gate.url)).status).toBe(200);
    expect((await fetch(`${gate.office}/readyz`)).status).toBe(200);
  });
});
