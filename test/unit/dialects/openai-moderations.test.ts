import { describe, expect, it } from 'vitest';
import { openaiModerations } from '../../../gateway/dialects/openai-moderations.ts';
import type { Json } from '../../../gateway/domain/json.ts';
import { parseStrict } from '../../../gateway/domain/json-text.ts';

const read = (body: Record<string, Json>) => {
  const text = JSON.stringify(body);
  return openaiModerations.read(parseStrict(text), text.length, {});
};

describe('openai-moderations', () => {
  it('claims its route', () => {
    expect(openaiModerations.claims('POST', '/v1/moderations')).toBe(true);
    expect(openaiModerations.claims('POST', '/v1/moderations/x')).toBe(false);
  });

  it('takes the default model of the API, and reads every text', () => {
    expect(read({ input: 'bad' })).toMatchObject({ model: 'omni-moderation-latest', bound: { outputCap: 0 } });
    const mixed = read({
      model: 'm',
      input: [
        { type: 'text', text: 'one' },
        { type: 'image_url', image_url: { url: 'x' } },
      ],
    });
    expect(mixed.parts).toEqual([{ at: '/input/0/text', text: 'one' }]);
    expect(mixed.bound.opaque).toEqual(['image']);
    expect(read({ input: ['a', 'b'] }).input?.text).toBe('a\nb');
    expect(() => read({ input: null })).toThrow('`input`');
  });

  it('costs nothing, exactly', () => {
    const { usage } = openaiModerations.readReply(
      parseStrict('{"id":"modr_1","model":"omni-moderation-latest","results":[]}'),
    );
    expect(usage).toEqual({ entries: [{ model: 'omni-moderation-latest', leaves: {} }], certainty: 'exact' });
    expect(() => openaiModerations.readReply(parseStrict('{}'))).toThrow(/no list of `results`/);
  });
});
