import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonical } from '../../../gateway/domain/canonical.ts';
import { canonicalExact, parseExact, prettyExact } from '../../../gateway/domain/exact-json.ts';
import type { Json } from '../../../gateway/domain/json.ts';
import {
  definitionChanges,
  definitionStrings,
  definitionText,
  parameterNames,
} from '../../../gateway/domain/tool-definition.ts';

const json = fc.jsonValue() as fc.Arbitrary<Json>;

/** The same value spelled differently: members in another order, white space, escapes, and `1.0` for `1`. */
function respelled(value: Json, dice: () => number): string {
  const space = (): string => ['', ' ', '\n\t', '  '][dice() % 4] as string;
  if (typeof value === 'string')
    return `"${[...Array(value.length).keys()].map((i) => (dice() % 3 === 0 ? `\\u${value.charCodeAt(i).toString(16).padStart(4, '0')}` : JSON.stringify(value.charAt(i)).slice(1, -1))).join('')}"`;
  if (typeof value === 'number')
    return Number.isInteger(value) && Math.abs(value) < 1e15 && dice() % 2 === 0 ? `${value}.0` : JSON.stringify(value);
  if (Array.isArray(value))
    return `[${space()}${value.map((v) => respelled(v as Json, dice)).join(`${space()},${space()}`)}${space()}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).map(
    ([k, v]): string => `${respelled(k, dice)}${space()}:${space()}${respelled(v, dice)}`,
  );
  if (dice() % 2 === 0) members.reverse();
  return `{${space()}${members.join(`,${space()}`)}${space()}}`;
}

const dice = (seed: number): (() => number) => {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) & 0x7fff_ffff;
    return state >> 8;
  };
};

describe('the canonical text of a definition', () => {
  it('is RFC 8785 where every number is a double', () => {
    fc.assert(
      fc.property(json, (value) => {
        expect(canonicalExact(parseExact(JSON.stringify(value)))).toBe(canonical(value));
      }),
    );
  });

  it('does not depend on order of members, white space, escapes or the spelling of numbers', () => {
    const definition = fc.record({ name: fc.string(), description: fc.string(), inputSchema: json, _meta: json });
    fc.assert(
      fc.property(definition, fc.nat(), (value, seed) => {
        const plain = definitionText('tool', JSON.stringify(value));
        expect(definitionText('tool', respelled(value as Json, dice(seed)))).toEqual(plain);
      }),
    );
  });

  it('tells any two values of a pinned field apart', () => {
    const field = fc.constantFrom('name', 'title', 'description', 'inputSchema', 'outputSchema', 'annotations');
    fc.assert(
      fc.property(field, json, json, (name, a, b) => {
        const [x, y] = [a, b].map((value) => definitionText('tool', JSON.stringify({ [name]: value })).pinned);
        expect(x === y).toBe(canonical(a) === canonical(b));
      }),
    );
  });

  it('keeps apart what is pinned and what is beside it', () => {
    const text = '{"name":"a","icons":[1],"_meta":{},"execution":{},"annotations":{"readOnlyHint":true}}';
    expect(definitionText('tool', text)).toEqual({
      pinned: '{"annotations":{"readOnlyHint":true},"name":"a"}',
      beside: '{"_meta":{},"execution":{},"icons":[1]}',
    });
    expect(definitionText('prompt', '{"name":"p","arguments":[],"icons":[]}').pinned).toBe(
      '{"arguments":[],"name":"p"}',
    );
    expect(definitionText('resource', '{"uri":"file:///a","size":3}').pinned).toBe('{"uri":"file:///a"}');
    expect(definitionText('instructions', '"\\u0041"')).toEqual({ pinned: '"A"', beside: '{}' });
  });

  it.each([
    ['9007199254740993', '9007199254740992'],
    ['12345678901234567890', '12345678901234567891'],
    ['1e400', '1e401'],
    ['0.1000000000000000055511151231257827', '0.1'],
    ['1e-400', '0'],
    ['-12345678901234567890', '12345678901234567890'],
  ])('tells %s from %s, which are one double', (a, b) => {
    const [x, y] = [a, b].map((n) => definitionText('tool', `{"inputSchema":{"maximum":${n}}}`).pinned);
    expect(x).not.toBe(y);
  });

  it.each([
    ['1.50e3', '1500'],
    ['-0', '0'],
    ['1E2', '100'],
    ['0.10', '0.1'],
    ['1e21', '1000000000000000000000'],
  ])('reads %s and %s as one number', (a, b) => {
    const [x, y] = [a, b].map((n) => definitionText('tool', `{"inputSchema":{"maximum":${n}}}`).pinned);
    expect(x).toBe(y);
  });

  it('a number is not the text that spells it', () => {
    const [x, y] = ['12345678901234567890', '"12345678901234567890"'].map(
      (v) => definitionText('tool', `{"title":${v}}`).pinned,
    );
    expect(x).not.toBe(y);
  });

  it('survives being printed over several lines', () => {
    fc.assert(
      fc.property(json, (value) => {
        const exact = parseExact(JSON.stringify(value));
        expect(canonicalExact(parseExact(prettyExact(exact)))).toBe(canonicalExact(exact));
      }),
    );
  });

  it('refuses half a character, which has no canonical form', () => {
    expect(() => definitionText('tool', '{"title":"\\ud800"}')).toThrow(TypeError);
  });
});

describe('what changed', () => {
  it('is named place by place, with canonical values', () => {
    const before =
      '{"description":"a","inputSchema":{"properties":{"x":{"maximum":12345678901234567890}},"required":["x"]}}';
    const after =
      '{"description":"b","inputSchema":{"properties":{"x":{"maximum":12345678901234567891},"y":{}},"required":["x","y"]}}';
    expect(definitionChanges(before, after)).toEqual([
      { at: '/description', before: '"a"', after: '"b"' },
      { at: '/inputSchema/properties/x/maximum', before: '12345678901234567890', after: '12345678901234567891' },
      { at: '/inputSchema/properties/y', before: undefined, after: '{}' },
      { at: '/inputSchema/required/1', before: undefined, after: '"y"' },
    ]);
  });

  it('is nothing exactly where the texts are the same', () => {
    fc.assert(
      fc.property(json, json, (a, b) => {
        expect(definitionChanges(canonical(a), canonical(b)).length === 0).toBe(canonical(a) === canonical(b));
      }),
    );
  });

  it('a list that becomes a map with the same keys is a change', () => {
    expect(definitionChanges('{"a":["x"]}', '{"a":{"0":"x"}}')).toEqual([
      { at: '/a', before: '["x"]', after: '{"0":"x"}' },
    ]);
  });
});

describe('what a model may read', () => {
  it('is every string at any depth, names of members included', () => {
    fc.assert(
      fc.property(json, fc.string({ minLength: 3 }), (value, needle) => {
        const found = (v: Json): string[] =>
          typeof v === 'string'
            ? [v]
            : Array.isArray(v)
              ? (v as readonly Json[]).flatMap(found)
              : typeof v === 'object' && v !== null
                ? Object.entries(v).flatMap(([k, item]) => [k, ...found(item)])
                : [];
        const whole = { a: value, [needle]: [needle] };
        expect(
          definitionStrings(JSON.stringify(whole))
            .map((s) => s.text)
            .sort(),
        ).toEqual(found(whole as Json).sort());
      }),
    );
  });

  it('names parameters at any depth, and arguments of prompts', () => {
    const schema = { properties: { a: { properties: { b: {} } }, c: { anyOf: [{ properties: { d: {} } }] } } };
    expect(parameterNames(JSON.stringify({ inputSchema: schema }))).toEqual(['a', 'c', 'b', 'd']);
    expect(parameterNames('{"arguments":[{"name":"x"},{}]}')).toEqual(['x']);
  });
});
