import OpenAI, { PermissionDeniedError } from 'openai';
import { describe, expect, it } from 'vitest';
import { openaiEmbeddings } from '../../../gateway/dialects/openai-embeddings.ts';
import type { Json } from '../../../gateway/domain/json.ts';
import { splice } from '../../../gateway/domain/json-splice.ts';
import { parseStrict } from '../../../gateway/domain/json-text.ts';

const read = (body: Record<string, Json>) => {
  const text = JSON.stringify({ model: 'text-embedding-3-small', ...body });
  return openaiEmbeddings.read(parseStrict(text), text.length, {});
};
const reply = (extra: Record<string, Json>) =>
  openaiEmbeddings.readReply(parseStrict(JSON.stringify({ object: 'list', data: [], model: 'served', ...extra })));

describe('openai-embeddings', () => {
  it('claims its route, with and without a version', () => {
    for (const path of ['/v1/embeddings', '/embeddings', '/v1/v1/embeddings'])
      expect(openaiEmbeddings.claims('POST', path)).toBe(true);
    expect(openaiEmbeddings.claims('GET', '/v1/embeddings')).toBe(false);
  });

  it('reads texts, lists of texts and tokens; nothing comes out of it', () => {
    expect(read({ input: 'one', user: 'u' })).toMatchObject({
      input: { text: 'one', parts: [{ at: '/input', text: 'one' }] },
      asserted: { user: 'u' },
      bound: { outputCap: 0, choices: 1, opaque: [], serverTools: [] },
    });
    expect(read({ input: ['one', 'two'] }).parts.map(({ at }) => at)).toEqual(['/input/0', '/input/1']);
    expect(read({ input: [[1, 2], [3]] }).input).toBeUndefined();
    expect(read({ input: [{ content: [{ type: 'image_url' }] }] }).bound.opaque).toEqual(['image']);
  });

  it('has no field for a cap of output: one cannot land', () => {
    const { doc, cap } = read({ input: 'one' });
    expect(() => splice(doc.text, { at: cap.at, json: '5' })).toThrow(RangeError);
  });

  it.each([
    ['`input`', { input: 3 }],
    ['`model`', { input: 'x', model: '' }],
  ])('refuses a bad %s', (field, body) => {
    expect(() => read(body)).toThrow(field);
  });

  it('is exact with the stated tokens, a floor without, and keeps what a provider says it costs', () => {
    expect(reply({ usage: { prompt_tokens: 8, total_tokens: 8 } }).usage).toEqual({
      entries: [{ model: 'served', leaves: { input: 8 } }],
      certainty: 'exact',
    });
    expect(reply({}).usage.certainty).toBe('floor');
    expect(reply({ usage: { prompt_tokens: 0, total_tokens: 0 } }).usage.entries[0]?.leaves).toEqual({ input: 0 });
    expect(reply({ usage: { prompt_tokens: 8, cost: 0.000002 } }).usage.reported).toBe(2_000_000n);
    expect(() => openaiEmbeddings.readReply(parseStrict('{}'))).toThrow(/no `data`/);
  });

  it('refuses in a form that the official SDK raises', async () => {
    const body = openaiEmbeddings.error({ code: 'TG_POLICY_DENIED', status: 403, message: 'not this' });
    const fetch = async (): Promise<Response> =>
      new Response(body, { status: 403, headers: { 'content-type': 'application/json' } });
    const client = new OpenAI({ apiKey: 'none', baseURL: 'http://gate/v1', fetch, maxRetries: 0 });
    const error = await client.embeddings.create({ model: 'm', input: 'x' }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(PermissionDeniedError);
  });
});
