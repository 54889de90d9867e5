import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Json } from '../../../gateway/domain/json.ts';
import { splice, spliceAll } from '../../../gateway/domain/json-splice.ts';
import { JsonFault, parseStrict, spanOf } from '../../../gateway/domain/json-text.ts';
import { expandPointer, pointerTokens, resolvePointer } from '../../../gateway/domain/pointer.ts';

const anyJson = fc.jsonValue() as fc.Arbitrary<Json>;

function pointersOf(value: Json, at = ''): string[] {
  if (Array.isArray(value)) return [at, ...value.flatMap((item, i) => pointersOf(item, `${at}/${i}`))];
  if (typeof value === 'object' && value !== null) {
    return [
      at,
      ...Object.entries(value).flatMap(([k, v]) =>
        pointersOf(v, `${at}/${k.replaceAll('~', '~0').replaceAll('/', '~1')}`),
      ),
    ];
  }
  return [at];
}

/** The same value, written with white space in odd places. */
const spaced = (value: Json): string => `\n${JSON.stringify(value, null, 3)}\t `;

describe('strict parsing', () => {
  it.each([
    ['{"a":1,"a":2}', 'the member `a` stands twice'],
    ['{"a":{"b":1,"c":[{"d":1,"\\u0064":2}]}}', 'the member `d` stands twice'],
    ['{"__proto__":{}}', '`__proto__` is not accepted'],
    ['{"a":1} x', 'not valid JSON'],
    ['\ufeff{}', 'not valid JSON'],
    ['{"a":', 'not valid JSON'],
    ['['.repeat(200) + ']'.repeat(200), 'nesting is deeper'],
  ])('refuses %s', (text, message) => {
    expect(() => parseStrict(text)).toThrow(JsonFault);
    expect(() => parseStrict(text)).toThrow(message);
  });

  it('accepts the same name in different objects, and every valid text', () => {
    expect(parseStrict('{"a":{"a":1},"b":{"a":"\\"a\\":1,\\"a\\""}}').value).toEqual({
      a: { a: 1 },
      b: { a: '"a":1,"a"' },
    });
    fc.assert(
      fc.property(anyJson, (value) => {
        if (JSON.stringify(value).includes('"__proto__"')) return;
        expect(parseStrict(spaced(value), { depth: 1000 }).value).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });
});

describe('splices', () => {
  it('finds the span of every value', () => {
    fc.assert(
      fc.property(anyJson, (value) => {
        const text = spaced(value);
        for (const pointer of pointersOf(value)) {
          const span = spanOf(text, pointer);
          expect(span, pointer).toBeDefined();
          expect(JSON.parse(text.slice(span?.start, span?.end))).toEqual(
            JSON.parse(JSON.stringify(resolvePointer(value, pointer))),
          );
        }
      }),
    );
  });

  it('replaces one value and leaves every other byte', () => {
    fc.assert(
      fc.property(anyJson, fc.nat(), (value, pick) => {
        const text = spaced(value);
        const pointers = pointersOf(value);
        const at = pointers[pick % pointers.length] as string;
        const after = splice(text, { at, json: '"NEW"' });
        const span = spanOf(text, at);
        expect(after).toBe(`${text.slice(0, span?.start)}"NEW"${text.slice(span?.end)}`);
        expect(resolvePointer(JSON.parse(after) as Json, at)).toBe('NEW');
      }),
    );
  });

  it('removes first, middle, last and only members and elements', () => {
    expect(splice('{"a":1, "b":2,"c":3}', { at: '/a', remove: true })).toBe('{"b":2,"c":3}');
    expect(splice('{"a":1, "b":2,"c":3}', { at: '/b', remove: true })).toBe('{"a":1,"c":3}');
    expect(splice('{"a":1, "b":2 }', { at: '/b', remove: true })).toBe('{"a":1 }');
    expect(splice('{ "a":1 }', { at: '/a', remove: true })).toBe('{}');
    expect(
      spliceAll('[1,2,3]', [
        { at: '/0', remove: true },
        { at: '/1', remove: true },
      ]),
    ).toBe('[2]');
  });

  it('adds absent members and appends elements', () => {
    expect(splice('{}', { at: '/a', json: '1' })).toBe('{"a":1}');
    expect(splice('{ "x": 0 }', { at: '/a~1b', json: '1' })).toBe('{ "x": 0,"a/b":1 }');
    expect(splice('[1]', { at: '/-', json: '2' })).toBe('[1,2]');
  });

  it.each([
    ['{"a":1}', { at: '/b/c', json: '1' }],
    ['{"a":1}', { at: '/a/c', json: '1' }],
    ['[1]', { at: '/3', json: '1' }],
    ['{"a":1}', { at: '/b', remove: true as const }],
    ['{"a":1}', { at: '', remove: true as const }],
  ])('has nowhere to land in %s', (text, edit) => {
    expect(() => splice(text, edit)).toThrow(RangeError);
  });
});

describe('pointers', () => {
  it('expand `*` over one array level', () => {
    expect(expandPointer({ a: [{ b: 1 }, { c: 2 }, { b: 3 }] }, '/a/*/b')).toEqual(['/a/0/b', '/a/2/b']);
    expect(expandPointer({ '*': 1 }, '/*')).toEqual(['/*']);
  });
  it('refuse what RFC 6901 does not allow', () => {
    expect(() => pointerTokens('a')).toThrow(SyntaxError);
    expect(() => pointerTokens('/~2')).toThrow(SyntaxError);
    expect(pointerTokens('/a~1b/~0')).toEqual(['a/b', '~']);
  });
});
