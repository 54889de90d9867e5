import OpenAI from 'openai';
import { describe, expect, it } from 'vitest';
import { openaiImages } from '../../../gateway/dialects/openai-images.ts';
import type { Json, JsonObject } from '../../../gateway/domain/json.ts';
import { parseStrict } from '../../../gateway/domain/json-text.ts';

const read = (body: Record<string, Json>) => {
  const text = JSON.stringify({ model: 'gpt-image-1', prompt: 'a cat', ...body });
  return openaiImages.read(parseStrict(text), text.length, {});
};
const USAGE = {
  input_tokens: 50,
  input_tokens_details: { image_tokens: 40, text_tokens: 10 },
  output_tokens: 4160,
  total_tokens: 4210,
};
const LEAVES = { input: 10, input_image: 40, output_image: 4160 };
const reply = (extra: Record<string, Json>) =>
  openaiImages.readReply(parseStrict(JSON.stringify({ created: 1, data: [], ...extra })), read({}));
const events = (...bodies: readonly JsonObject[]): string =>
  bodies.map((body) => `event: ${String(body['type'])}\ndata: ${JSON.stringify(body)}\n\n`).join('');
const COMPLETED = { type: 'image_generation.completed', b64_json: 'aGk=', usage: USAGE };

describe('openai-images', () => {
  it('claims generations, edits and variations', () => {
    for (const name of ['generations', 'edits', 'variations']) {
      expect(openaiImages.claims('POST', `/v1/images/${name}`)).toBe(true);
      expect(openaiImages.upstreamPath(`/images/${name}`)).toBe(`/v1/images/${name}`);
    }
    expect(openaiImages.claims('GET', '/v1/images/generations')).toBe(false);
  });

  it('reads the prompt and how many images are asked for', () => {
    expect(read({ n: 3, user: 'u' })).toMatchObject({
      input: { parts: [{ at: '/prompt', text: 'a cat' }] },
      bound: { choices: 3, model: 'gpt-image-1' },
      asserted: { user: 'u' },
    });
    expect(() => read({ prompt: 3 })).toThrow('`prompt`');
    expect(() => read({ model: null })).toThrow('`model`');
    expect(() => read({ n: 0 })).toThrow('`n`');
  });

  it('takes usage apart at the model that was asked for; without any it is a floor', () => {
    expect(reply({ usage: USAGE }).usage).toEqual({
      entries: [{ model: 'gpt-image-1', leaves: LEAVES }],
      certainty: 'exact',
    });
    expect(reply({ data: [{ url: 'x' }] }).usage.certainty).toBe('floor');
    const details = { ...USAGE, output_tokens_details: { image_tokens: 4000, text_tokens: 160 } };
    expect(reply({ usage: details }).usage.entries[0]?.leaves).toEqual({ ...LEAVES, output: 160, output_image: 4000 });
    const svg = { model: 'gpt-x', input_tokens: 5, output_tokens: 9, reasoning_tokens: 4, total_tokens: 14 };
    expect(reply({ usage: USAGE, svg_usage: svg }).usage.entries[1]).toEqual({
      model: 'gpt-x',
      leaves: { input: 5, output: 5, reasoning: 4 },
    });
    expect(reply({ usage: { ...USAGE, cost_in_usd_ticks: 200_000_000 } }).usage.reported).toBe(20_000_000_000n);
  });

  it('shows and redacts what the prompt was revised to', () => {
    const doc = parseStrict(
      JSON.stringify({ data: [{ b64_json: 'aGk=', revised_prompt: 'a secret cat' }], usage: USAGE }),
    );
    const { parts } = openaiImages.readReply(doc, read({}));
    expect(parts).toEqual([{ at: '/data/0/revised_prompt', text: 'a secret cat' }]);
    const texts = [{ op: 'set' as const, at: '/data/0/revised_prompt', value: 'a cat' }];
    const edited = openaiImages.editReply(doc, { denied: new Map(), edited: new Map(), texts });
    expect(edited).toBe(doc.text.replace('a secret cat', 'a cat'));
    expect(() => openaiImages.editReply(doc, { denied: new Map([['x', 'no']]), edited: new Map(), texts: [] })).toThrow(
      RangeError,
    );
  });

  it('a stream passes as it is and is exact with the final event of every image', async () => {
    const text = events(
      { type: 'image_generation.partial_image', b64_json: 'aA==', partial_image_index: 0 },
      COMPLETED,
    );
    const bytes = new TextEncoder().encode(text);
    const reader = openaiImages.openStream(read({ stream: true }));
    const frames = [...bytes].flatMap((_, i) => reader.push(bytes.subarray(i, i + 1)));
    expect(
      Buffer.concat(
        frames.map((frame) => reader.rewrite(frame, { texts: new Map(), denied: new Map(), edited: new Map() })),
      ).toString(),
    ).toBe(text);
    expect(frames.map(({ finish }) => finish)).toEqual([false, true]);
    expect(reader.usage()).toEqual({ entries: [{ model: 'gpt-image-1', leaves: LEAVES }], certainty: 'exact' });
    expect([reader.finished(), reader.failed(), reader.servedModel()]).toEqual([true, false, 'gpt-image-1']);
    const two = openaiImages.openStream(read({ stream: true, n: 2 }));
    two.push(new TextEncoder().encode(events(COMPLETED)));
    expect([two.finished(), two.usage().certainty]).toEqual([false, 'floor']);
    two.push(new TextEncoder().encode(events(COMPLETED)));
    expect(two.usage()).toMatchObject({ certainty: 'exact', estimated: true, entries: [{}, {}] });
  });

  it('cut off, failed or unreadable it is a floor', () => {
    for (const text of [events({ type: 'error', message: 'x' }), 'data: nonsense\n\n', ': ping\n\n']) {
      const reader = openaiImages.openStream(read({ stream: true }));
      reader.push(new TextEncoder().encode(text));
      expect(reader.end()).toEqual([]);
      expect([reader.finished(), reader.failed(), reader.usage().certainty]).toEqual([
        false,
        text.includes('error'),
        'floor',
      ]);
    }
  });

  it('an error in mid-stream is raised by the official SDK', async () => {
    const saying = { code: 'TG_POLICY_DENIED', status: 403, message: 'no more' } as const;
    const fetch = async (): Promise<Response> =>
      new Response(openaiImages.errorEvents(saying).slice(), { headers: { 'content-type': 'text/event-stream' } });
    const client = new OpenAI({ apiKey: 'none', baseURL: 'http://gate/v1', fetch, maxRetries: 0 });
    const stream = await client.images.generate({ model: 'm', prompt: 'x', stream: true });
    await expect(stream[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'TG_POLICY_DENIED' });
  });
});
