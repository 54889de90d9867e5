import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { afterEach, describe, expect, it } from 'vitest';
import { startAnthropicSim } from '../../demo/sim/anthropic-sim.ts';
import { startOpenAiSim } from '../../demo/sim/openai-sim.ts';
import { startReplaySim } from '../../demo/sim/replay-sim.ts';
import type { Answer, SimOptions, Turn } from '../../demo/sim/script.ts';
import type { Sim } from '../../demo/sim/simulated-upstream.ts';

const open: Sim[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((sim) => sim.close()));
});

async function opened<T extends Sim>(starting: Promise<T>): Promise<T> {
  const sim = await starting;
  open.push(sim);
  return sim;
}

const says = (answer: Answer, more: Partial<SimOptions> = {}): SimOptions => ({ script: () => answer, ...more });
const openai = async (options: SimOptions): Promise<{ sim: Sim; client: OpenAI }> => {
  const sim = await opened(startOpenAiSim(options));
  return { sim, client: new OpenAI({ baseURL: `${sim.url}/v1`, apiKey: 'any', maxRetries: 0 }) };
};
const anthropic = async (options: SimOptions): Promise<{ sim: Sim; client: Anthropic }> => {
  const sim = await opened(startAnthropicSim(options));
  return { sim, client: new Anthropic({ baseURL: sim.url, apiKey: 'any', maxRetries: 0 }) };
};

const HELLO = [{ role: 'user' as const, content: 'hello' }];
const CALL = { name: 'bash', args: { command: 'echo "grüß dich"' } };
const USAGE = { input: 100, output: 20, cacheRead: 7, cacheWrite: 3 };

describe('the simulated OpenAI', () => {
  const ask = { model: 'gpt-6-sol', messages: HELLO };

  it('answers with text, tool calls and usage', async () => {
    const { client } = await openai(says({ text: 'hi', toolCalls: [CALL], usage: USAGE }));
    const { choices, usage } = await client.chat.completions.create(ask);
    expect(choices[0]).toMatchObject({ finish_reason: 'tool_calls', message: { role: 'assistant', content: 'hi' } });
    const call = choices[0]?.message.tool_calls?.[0];
    expect(call?.type === 'function' && JSON.parse(call.function.arguments)).toEqual(CALL.args);
    expect(usage).toMatchObject({
      prompt_tokens: 110,
      completion_tokens: 20,
      total_tokens: 130,
      prompt_tokens_details: { cached_tokens: 7 },
    });
  });

  it.each([undefined, 1, 7, 4096])(
    'streams the same to the helpers of the SDK, in writes of %s bytes',
    async (chunkSize) => {
      const { client } = await openai(
        says({ text: 'one two grüß', toolCalls: [CALL, CALL], usage: USAGE }, { chunkSize }),
      );
      const stream = client.chat.completions.stream({ ...ask, stream_options: { include_usage: true } });
      const { choices, usage } = await stream.finalChatCompletion();
      expect(choices[0]?.message.content).toBe('one two grüß');
      const calls = choices[0]?.message.tool_calls ?? [];
      expect(calls.map((call) => call.type === 'function' && JSON.parse(call.function.arguments))).toEqual([
        CALL.args,
        CALL.args,
      ]);
      expect(new Set(calls.map(({ id }) => id)).size).toBe(2);
      expect(usage?.total_tokens).toBe(130);
    },
  );

  it('sends the extra usage chunk only where it was asked for', async () => {
    const { client } = await openai(says({ text: 'hi there' }));
    const chunksOf = async (include_usage: boolean) => {
      const chunks: OpenAI.ChatCompletionChunk[] = [];
      for await (const chunk of await client.chat.completions.create({
        ...ask,
        stream: true,
        stream_options: { include_usage },
      }))
        chunks.push(chunk);
      return chunks;
    };
    const without = await chunksOf(false);
    expect(without.some((chunk) => 'usage' in chunk || chunk.choices.length === 0)).toBe(false);
    const with_ = await chunksOf(true);
    expect(with_).toHaveLength(without.length + 1);
    expect(with_.at(-1)).toMatchObject({ choices: [], usage: { completion_tokens: 2 } });
    expect(with_.slice(0, -1).every(({ usage }) => usage === null)).toBe(true);
  });

  it('keeps to the caller’s output cap', async () => {
    const { client } = await openai(says({ text: 'word '.repeat(100), usage: { output: 125 } }));
    const { choices, usage } = await client.chat.completions.create({ ...ask, max_completion_tokens: 10 });
    expect(choices[0]?.finish_reason).toBe('length');
    expect(choices[0]?.message.content).toHaveLength(40);
    expect(usage?.completion_tokens).toBe(10);
  });

  it('tells the script where the conversation stands', async () => {
    const turns: Turn[] = [];
    const { client } = await openai({
      script: (_body, turn) => {
        turns.push(turn);
        return { text: 'ok' };
      },
    });
    const tool_calls = [{ id: 'c1', type: 'function' as const, function: { name: 'f', arguments: '{}' } }];
    await client.chat.completions.create({
      ...ask,
      tools: [{ type: 'function', function: { name: 'f' } }],
      messages: [...HELLO, { role: 'assistant', tool_calls }, { role: 'tool', tool_call_id: 'c1', content: 'found' }],
    });
    expect(turns).toEqual([{ call: 1, turn: 1, input: 'hello', results: ['found'], tools: ['f'] }]);
  });

  it('refuses what the API refuses', async () => {
    const { sim, client } = await openai(says({ text: 'hi' }));
    const create = (body: object): Promise<unknown> => client.chat.completions.create(body as typeof ask);
    const toolMessage = [...HELLO, { role: 'tool', tool_call_id: 'c9', content: '' }];
    await expect(create({ ...ask, messages: [] })).rejects.toMatchObject({ status: 400, param: 'messages' });
    await expect(create({ messages: HELLO })).rejects.toMatchObject({ status: 400, param: 'model' });
    await expect(create({ ...ask, messages: toolMessage })).rejects.toMatchObject({ status: 400 });
    await expect(create({ ...ask, max_tokens: 0 })).rejects.toMatchObject({ status: 400, param: 'max_tokens' });
    const post = (path: string, headers: Record<string, string>, body: string) =>
      fetch(sim.url + path, { method: 'POST', headers, body });
    expect((await post('/v1/chat/completions', {}, '{}')).status).toBe(401);
    expect((await post('/v1/chat/completions', { authorization: 'Bearer x' }, '{')).status).toBe(400);
    expect((await post('/v1/embeddings', { authorization: 'Bearer x' }, '{}')).status).toBe(404);
    expect((await client.models.list()).data.map(({ id }) => id)).toContain('gpt-6-sol');
  });

  it('fails as scripted, in the shape the SDK knows', async () => {
    const { client } = await openai(says({ error: { status: 429, message: 'slow down' } }));
    await expect(client.chat.completions.create(ask)).rejects.toThrow(OpenAI.RateLimitError);
  });
});

describe('the simulated Anthropic', () => {
  const ask = { model: 'claude-sonnet-5-5', max_tokens: 200, messages: HELLO };

  it('answers with text, tool use and usage', async () => {
    const { client } = await anthropic(says({ text: 'hi', toolCalls: [CALL], usage: USAGE }));
    const message = await client.messages.create(ask);
    expect(message).toMatchObject({
      stop_reason: 'tool_use',
      content: [
        { type: 'text', text: 'hi' },
        { type: 'tool_use', input: CALL.args },
      ],
    });
    expect(message.usage).toMatchObject({
      input_tokens: 100,
      output_tokens: 20,
      cache_read_input_tokens: 7,
      cache_creation_input_tokens: 3,
    });
  });

  it.each([undefined, 1, 7, 4096])(
    'streams the same to the helpers of the SDK, in writes of %s bytes',
    async (chunkSize) => {
      const { client } = await anthropic(
        says({ text: 'one two grüß', toolCalls: [CALL, CALL], usage: USAGE }, { chunkSize }),
      );
      const message = await client.messages.stream(ask).finalMessage();
      expect(
        message.content.map((block) => (block.type === 'text' ? block.text : block.type === 'tool_use' && block.input)),
      ).toEqual(['one two grüß', CALL.args, CALL.args]);
      expect(message).toMatchObject({ stop_reason: 'tool_use', usage: { input_tokens: 100, output_tokens: 20 } });
    },
  );

  it('sends its events in the documented order, a ping among them', async () => {
    const { sim } = await anthropic(says({ text: 'hi' }));
    const headers = { 'x-api-key': 'any', 'anthropic-version': '2023-06-01' };
    const reply = await fetch(`${sim.url}/v1/messages`, {
      method: 'POST',
      headers,
      body: JSON.stringify({ ...ask, stream: true }),
    });
    expect((await reply.text()).match(/(?<=^event: ).*$/gm)).toEqual([
      'message_start',
      'content_block_start',
      'ping',
      'content_block_delta',
      'content_block_stop',
      'message_delta',
      'message_stop',
    ]);
  });

  it('refuses what the API refuses', async () => {
    const { sim, client } = await anthropic(says({ text: 'hi' }));
    const create = (body: object): Promise<unknown> => client.messages.create(body as typeof ask);
    const use = { role: 'assistant', content: [{ type: 'tool_use', id: 't1', name: 'f', input: {} }] };
    await expect(create({ ...ask, max_tokens: undefined })).rejects.toMatchObject({ status: 400 });
    await expect(create({ ...ask, messages: [use] })).rejects.toMatchObject({ status: 400 });
    await expect(create({ ...ask, messages: [...HELLO, use, { role: 'user', content: 'go on' }] })).rejects.toThrow(
      'without `tool_result`',
    );
    expect((await fetch(`${sim.url}/v1/messages`, { method: 'POST', body: '{}' })).status).toBe(401);
    expect((await client.models.list()).data.map(({ id }) => id)).toContain('claude-sonnet-5-5');
  });
});

describe('a simulated upstream', () => {
  it('notices that the other side broke off, and frees its port on close', async () => {
    const { sim, client } = await openai(says({ text: 'word '.repeat(200) }, { chunkDelayMs: 5 }));
    const stream = await client.chat.completions.create({ model: 'm', messages: HELLO, stream: true });
    for await (const _chunk of stream) break;
    await expect.poll(() => sim.aborted).toBe(1);
    await sim.close();
    open.length = 0;
    await expect(fetch(sim.url)).rejects.toThrow();
  });
});

describe('a replayed recording', () => {
  const bytes = new TextEncoder().encode('data: grüß\n\ndata: {"n":1}\n\ndata: [DONE]\n\n');
  const tape = { bytes, contentType: 'text/event-stream', chunkSize: 5, ending: 'end' as const };

  /** What arrives, in the pieces it arrives in, and whether it ended in order. */
  async function read(url: string): Promise<{ text: string; whole: boolean; type: string | null; status: number }> {
    const reply = await fetch(url, { method: 'POST', body: '{}' });
    const decoder = new TextDecoder();
    let text = '';
    let whole = true;
    try {
      for await (const chunk of reply.body ?? []) text += decoder.decode(chunk, { stream: true });
    } catch {
      whole = false;
    }
    return { text: text + decoder.decode(), whole, type: reply.headers.get('content-type'), status: reply.status };
  }

  const upTo = (end: number): string => new TextDecoder().decode(bytes.subarray(0, end));

  it.each([1, 3, 5, 1000])('arrives byte for byte in writes of %i bytes', async (chunkSize) => {
    const sim = await opened(startReplaySim({ ...tape, chunkSize }));
    expect(await read(sim.url)).toEqual({
      text: upTo(bytes.length),
      whole: true,
      type: 'text/event-stream',
      status: 200,
    });
  });

  it('is cut at exactly the byte that was asked for, with and without an orderly end', async () => {
    const sim = await opened(startReplaySim(tape));
    for (const cutAt of [0, 1, 13, 20, bytes.length]) {
      for (const ending of ['end', 'destroy'] as const) {
        sim.load({ ...tape, cutAt, ending });
        expect(await read(sim.url), `${ending} at ${cutAt}`).toMatchObject({
          text: upTo(cutAt),
          whole: ending === 'end',
        });
      }
    }
    expect(sim.aborted).toBe(0);
    expect(sim.seen).toHaveLength(10);
  });

  it('refuses a chunk size that is none', async () => {
    const sim = await opened(startReplaySim({ ...tape, chunkSize: 0 }));
    expect(await read(sim.url)).toMatchObject({ text: '', whole: false });
  });
});
