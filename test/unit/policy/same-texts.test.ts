import fc from 'fast-check';
import { RE2JS } from 're2js';
import { describe, expect, it } from 'vitest';
import { textApart } from './_same-texts.ts';

describe('patterns that are found in the same texts', () => {
  it.each([
    ['a', '(?:a)'],
    ['a+', 'a'],
    ['a*b', 'b'],
    ['[ab]', 'a|b'],
    ['[a-c]', '[abca]'],
    ['^a', '\\Aa'],
    ['(^|[^x])a', '(^|[^xx])a+'],
    ['\\bab\\b', '\\bab(?:$|\\b)'],
    ['(?i)k', '[kK\u212a]'],
    ['\\s', '[ \\t\\n\\f\\r]'],
    ['', 'x*'],
  ])('`%s` and `%s`', (a, b) => expect(textApart(a, b)).toBeUndefined());

  it.each([
    ['a', 'b'],
    ['^a', 'a'],
    ['a$', 'a'],
    ['(?m)a$', 'a$'],
    ['\\bab', 'ab'],
    ['[^x]a', 'a'],
    ['a.b', 'a[^z]b'],
    ['a{3}', 'a{2}'],
    ['(?i)k', '[kK]'],
  ])('not `%s` and `%s`: a text tells them apart', (a, b) => {
    const text = textApart(a, b) as string;
    expect(RE2JS.compile(a).test(text)).not.toBe(RE2JS.compile(b).test(text));
  });

  it('agree with the engine on whatever text', () => {
    const piece = fc.constantFrom(
      'a',
      'b',
      '[ab]',
      '[^a]',
      'a*',
      'b?',
      '(a|b)',
      '^',
      '$',
      '\\b',
      '.',
      'a+',
      '(ab)*',
      '|',
      '\\s',
    );
    const pattern = fc.array(piece, { maxLength: 4 }).map((pieces) => pieces.join(''));
    fc.assert(
      fc.property(pattern, pattern, fc.stringMatching(/^[ab\n ]{0,5}$/), (a, b, text) => {
        const apart = textApart(a, b);
        const differs = (t: string): boolean => RE2JS.compile(a).test(t) !== RE2JS.compile(b).test(t);
        expect(apart === undefined ? differs(text) : !differs(apart)).toBe(false);
      }),
      { numRuns: 1_000 },
    );
  });
});
