import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { afterEach, describe, expect, it } from 'vitest';
import { openHalts } from '../../gateway/stores/embedded/open-embedded.ts';
import { systemClock } from '../../gateway/telemetry/clock.ts';
import { startTestGate, type TestGate } from '../support/gate.ts';
import { completion, json, message, startUpstream, type TestUpstream } from '../support/upstream.ts';

let gate: TestGate;
let upstream: TestUpstream;

afterEach(async () => {
  await gate.remove();
  await upstream.close();
});

const halting = (what: 'run' | 'agent' | 'human'): string => `
policy: tollgate/v1
name: test
default: allow
rules:
  - id: enough
    at: input
    when: text.contains("stop everything")
    verdict: deny
    reason: enough
    halt: ${what}
`;

const head = (response: ServerResponse): void => {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
};

const CHAT_FIRST = `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'gpt-4o-mini', choices: [{ index: 0, delta: { role: 'assistant', content: 'thinking' }, finish_reason: null }] })}\n\n`;
const CLAUDE_FIRST = [
  { type: 'message_start', message: { ...message([]), stop_reason: null } },
  { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
  { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'thinking' } },
]
  .map((e) => `event: ${e.type}\ndata: ${JSON.stringify(e)}\n\n`)
  .join('');

/** An upstream that begins every stream and then says nothing more; a call that is no stream is never answered unless `quick`. */
async function open(policy: string): Promise<{ closed: () => number }> {
  let closed = 0;
  upstream = await startUpstream((request, response) => {
    response.on('close', () => {
      if (!response.writableFinished) closed += 1;
    });
    if (request.body?.['stream'] === true) {
      head(response);
      response.write(request.url.includes('chat') ? CHAT_FIRST : CLAUDE_FIRST);
    } else if (request.text.includes('quick')) {
      json(response, 200, completion({ content: 'ok' }));
    }
  });
  gate = await startTestGate({
    policy,
    upstreams: {
      openai: { base_url: upstream.url, dialects: ['openai-chat'] },
      anthropic: { base_url: upstream.url, dialects: ['anthropic-messages'] },
    },
    config: { limits: { shutdown_s: 0 } },
  });
  return { closed: () => closed };
}

const chat = (run: string, agent = 'a') =>
  new OpenAI({
    baseURL: `${gate.url}/run/${run}/openai/v1`,
    apiKey: 'sk-own',
    maxRetries: 0,
    defaultHeaders: { 'x-tollgate-agent': agent },
  });
const claude = (run: string) =>
  new Anthropic({ baseURL: `${gate.url}/run/${run}/anthropic`, apiKey: 'own', maxRetries: 0 });

const ask = (content: string) => ({ model: 'gpt-4o-mini', messages: [{ role: 'user' as const, content }] });
const ASK_CLAUDE = { model: 'claude-sonnet-4-5', max_tokens: 50, messages: [{ role: 'user' as const, content: 'go' }] };

/** Reads a stream to its end; tells when its first piece came and how it ended. */
function reading(stream: AsyncIterable<unknown>): {
  first: Promise<void>;
  end: Promise<{ at: number; error: unknown }>;
} {
  const first = Promise.withResolvers<void>();
  const end = (async () => {
    try {
      for await (const _ of stream) first.resolve();
      return { at: performance.now(), error: undefined };
    } catch (error) {
      return { at: performance.now(), error };
    }
  })();
  return { first: first.promise, end };
}

/** The run is halted by a further call of it. */
async function stopEverything(run: string): Promise<number> {
  await expect(chat(run).chat.completions.create(ask('stop everything'))).rejects.toMatchObject({ status: 403 });
  return performance.now();
}

describe('a halt cuts streams that are silent', () => {
  it('in the chat language: within a second, in its own error form, and the receipt says cut', async () => {
    const { closed } = await open(halting('run'));
    const stream = reading(await chat('r').chat.completions.create({ ...ask('go'), stream: true }));
    await stream.first;
    const at = await stopEverything('r');
    const end = await stream.end;
    expect(end.at - at).toBeLessThan(1000);
    expect(String(end.error)).toContain('tollgate halted this run');
    const calls = await gate.sealed(2);
    const cut = calls.find((c) => c.ending === 'cut');
    expect(cut?.actions.map((a) => a.point)).toContain('post_model_call');
    expect(Number(cut?.cost_usd)).toBeGreaterThan(0);
    await expect.poll(closed).toBe(1);
  });

  it('in the Messages language', async () => {
    await open(halting('run'));
    const stream = reading(await claude('r').messages.create({ ...ASK_CLAUDE, stream: true }));
    await stream.first;
    const at = await stopEverything('r');
    const end = await stream.end;
    expect(end.at - at).toBeLessThan(1000);
    expect(String(end.error)).toContain('tollgate halted this run');
    expect((await gate.sealed(2)).map((c) => c.ending).sort()).toEqual(['cut', 'denied']);
  });

  it('and a call that still waits for its answer, and nothing of another run', async () => {
    await open(halting('run'));
    const other = reading(await chat('other').chat.completions.create({ ...ask('go'), stream: true }));
    await other.first;
    const waiting = chat('r').chat.completions.create(ask('slow'));
    waiting.catch(() => {});
    await expect.poll(() => upstream.received.length).toBe(2);
    await stopEverything('r');
    await expect(waiting).rejects.toMatchObject({ status: 403, code: 'TG_POLICY_DENIED' });
    const still = await Promise.race([other.end, new Promise((r) => setTimeout(() => r('open'), 700))]);
    expect(still).toBe('open');
    await expect(chat('r').chat.completions.create(ask('quick'))).rejects.toMatchObject({ status: 403 });
    const untouched = await chat('other').chat.completions.create(ask('quick'));
    expect(untouched.choices[0]?.finish_reason).toBe('stop');
  });

  it('of a whole agent, over all its runs', async () => {
    await open(halting('agent'));
    const streams = await Promise.all(
      ['r1', 'r2', 'r3'].map(async (run) =>
        reading(await chat(run).chat.completions.create({ ...ask('go'), stream: true })),
      ),
    );
    const stranger = reading(await chat('r4', 'b').chat.completions.create({ ...ask('go'), stream: true }));
    await Promise.all([...streams, stranger].map((s) => s.first));
    const at = await stopEverything('r9');
    for (const { end } of streams) expect((await end).at - at).toBeLessThan(1000);
    expect(await Promise.race([stranger.end, new Promise((r) => setTimeout(() => r('open'), 300))])).toBe('open');
  });

  it('where another process halts', async () => {
    await open(halting('run'));
    const stream = reading(await chat('r').chat.completions.create({ ...ask('go'), stream: true }));
    await stream.first;
    const outside = openHalts(join(gate.folder, 'data', 'tollgate.db'), systemClock());
    const at = performance.now();
    outside.halts.add('run', 'local/open/r');
    outside.close();
    const end = await stream.end;
    expect(end.at - at).toBeLessThan(1000);
    expect(String(end.error)).toContain('tollgate halted this run');
  });

  it('and a reader that takes nothing is cut off', async () => {
    const big = `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'gpt-4o-mini', choices: [{ index: 0, delta: { content: 'x'.repeat(60_000) }, finish_reason: null }] })}\n\n`;
    await open(halting('run'));
    await upstream.close();
    upstream = await startUpstream((_request, response) => {
      head(response);
      const pump = (): void => {
        while (!response.destroyed && response.write(big));
        response.once('drain', pump);
      };
      pump();
    });
    await gate.remove();
    gate = await startTestGate({
      policy: halting('run'),
      upstreams: { openai: { base_url: upstream.url, dialects: ['openai-chat'] } },
      config: { limits: { shutdown_s: 0 } },
    });
    const response = await fetch(`${gate.url}/run/r/openai/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: 'Bearer own' },
      body: JSON.stringify({ ...ask('go'), stream: true }),
    });
    expect(response.status).toBe(200);
    await new Promise((r) => setTimeout(r, 200));
    await stopEverything('r');
    const calls = await gate.sealed(2);
    expect(calls.map((c) => c.ending).sort()).toEqual(['cut', 'denied']);
    await response.body?.cancel().catch(() => {});
  });
});
