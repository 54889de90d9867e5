import { describe, expect, it } from 'vitest';
import type { Json } from '../../../gateway/domain/json.ts';
import { shapeFault } from '../../../gateway/domain/json-shape.ts';

const SCHEMA: Json = {
  type: 'object',
  required: ['mail'],
  additionalProperties: false,
  properties: {
    mail: { type: 'string', minLength: 3, maxLength: 20 },
    kind: { enum: ['a', 'b'] },
    count: { type: 'integer', minimum: 1 },
    list: { type: 'array', maxItems: 2, items: { type: ['string', 'null'] } },
    deep: { type: 'object', properties: { on: { const: true } } },
    loose: {},
  },
};

describe('what a schema plainly says', () => {
  it.each<[Json, string | undefined]>([
    [{ mail: 'a@b' }, undefined],
    [{ mail: 'a@b', kind: 'a', count: 1, list: ['x', null], deep: { on: true }, loose: [{}] }, undefined],
    [{}, '/mail'],
    ['text', ''],
    [{ mail: 7 }, '/mail'],
    [{ mail: 'ab' }, '/mail'],
    [{ mail: 'x'.repeat(21) }, '/mail'],
    [{ mail: 'a@b', kind: 'c' }, '/kind'],
    [{ mail: 'a@b', count: 1.5 }, '/count'],
    [{ mail: 'a@b', count: 0 }, '/count'],
    [{ mail: 'a@b', list: ['x', 1] }, '/list/1'],
    [{ mail: 'a@b', list: ['x', 'y', 'z'] }, '/list'],
    [{ mail: 'a@b', deep: { on: false } }, '/deep/on'],
    [{ mail: 'a@b', other: 1 }, '/other'],
  ])('%j', (value, at) => {
    expect(shapeFault(SCHEMA, value)).toBe(at);
  });

  it('what it does not look into is taken for kept, and it ends', () => {
    expect(shapeFault({ $ref: '#/x', pattern: '^(a+)+$', oneOf: [false] }, 'aaa')).toBeUndefined();
    expect(shapeFault(undefined, 1)).toBeUndefined();
    expect(
      shapeFault(
        { items: { type: 'number' } },
        Array.from({ length: 100_000 }, () => 'x'),
      ),
    ).toBe('/0');
  });
});
