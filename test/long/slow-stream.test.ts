import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { expect, it } from 'vitest';
import { startTestGate } from '../support/gate.ts';
import { startUpstream } from '../support/upstream.ts';

/** `LONG_MIN` minutes, 20 unless told; with the limits as they ship. */
const MINUTES = Number(process.env['LONG_MIN'] ?? 20);
const EVERY_MS = 15_000;
const WORDS = Math.ceil((MINUTES * 60_000) / EVERY_MS);

const chat = (delta: object, more: object = {}): string =>
  `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'gpt-4o-mini', choices: [{ index: 0, delta, finish_reason: null }], ...more })}\n\n`;
const claude = (event: { readonly type: string } & object): string =>
  `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;

const START = {
  type: 'message_start',
  message: {
    id: 'm',
    type: 'message',
    role: 'assistant',
    model: 'claude-sonnet-4-5',
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage: { input_tokens: 10, output_tokens: 1 },
  },
};

const CHAT = {
  head: [chat({ role: 'assistant', content: '' })],
  word: (i: number) => chat({ content: `word${i} ` }),
  tail: [
    chat({}, { choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] }),
    chat({}, { choices: [], usage: { prompt_tokens: 10, completion_tokens: WORDS, total_tokens: 10 + WORDS } }),
    'data: [DONE]\n\n',
  ],
};
const CLAUDE = {
  head: [
    claude(START),
    claude({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } } as never),
  ],
  word: (i: number) =>
    claude({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: `word${i} ` } } as never),
  tail: [
    claude({ type: 'content_block_stop', index: 0 } as never),
    claude({
      type: 'message_delta',
      delta: { stop_reason: 'end_turn', stop_sequence: null },
      usage: { output_tokens: WORDS },
    } as never),
    claude({ type: 'message_stop' }),
  ],
};

it(`a stream of ${MINUTES} minutes is not cut, in both languages, with the starter policy and a budget`, async () => {
  const upstream = await startUpstream((request, response) => {
    const wire = request.url.includes('chat') ? CHAT : CLAUDE;
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (const event of wire.head) response.write(event);
    let sent = 0;
    const timer = setInterval(() => {
      response.write(wire.word(sent));
      sent += 1;
      if (sent < WORDS) return;
      clearInterval(timer);
      for (const event of wire.tail) response.write(event);
      response.end();
    }, EVERY_MS);
  });
  const gate = await startTestGate({
    policy: 'starter',
    upstreams: {
      openai: { base_url: upstream.url, dialects: ['openai-chat'] },
      anthropic: { base_url: upstream.url, dialects: ['anthropic-messages'] },
    },
    config: { budgets: [{ scope: 'tenant', limit_usd: 10 }] },
  });
  try {
    const patience = { timeout: (MINUTES + 5) * 60_000, maxRetries: 0 };
    const openai = new OpenAI({ baseURL: `${gate.url}/openai/v1`, apiKey: 'own', ...patience });
    const anthropic = new Anthropic({ baseURL: `${gate.url}/anthropic`, apiKey: 'own', ...patience });
    const messages = [{ role: 'user' as const, content: 'slowly' }];
    const heard = async (): Promise<string> => {
      const stream = await openai.chat.completions.create({ model: 'gpt-4o-mini', messages, stream: true });
      let text = '';
      for await (const { choices } of stream) text += choices[0]?.delta.content ?? '';
      return text;
    };
    const [first, second] = await Promise.all([
      heard(),
      anthropic.messages.stream({ model: 'claude-sonnet-4-5', max_tokens: 4096, messages }).finalText(),
    ]);
    const whole = Array.from({ length: WORDS }, (_, i) => `word${i} `).join('');
    expect(first).toBe(whole);
    expect(second).toBe(whole);
    const calls = await gate.sealed(2);
    expect(calls.map(({ ending, certainty }) => [ending, certainty])).toEqual([
      ['completed', 'exact'],
      ['completed', 'exact'],
    ]);
    for (const { latency_ms } of calls) expect(latency_ms).toBeGreaterThan(WORDS * EVERY_MS * 0.95);
  } finally {
    await gate.remove();
    await upstream.close();
  }
});
