import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { confusable } from '../../../gateway/domain/look-alike.ts';
import { visibleStart, visibleText } from '../../../gateway/domain/visible-text.ts';

describe('names a person may take for another', () => {
  it.each([
    ['read_file', 'readFile'],
    ['read_file', 'READ-FILE'],
    ['read_file', 'read.file'],
    ['paypal', 'pаypаl'],
    ['scope', 'ѕсоре'],
    ['admin', 'аdmin'],
    ['list', 'Iist'],
    ['list', '1ist'],
    ['copy', 'c0py'],
    ['modern', 'modem'],
    ['search', 'ｓｅａｒｃｈ'],
    ['search', '𝐬𝐞𝐚𝐫𝐜𝐡'],
    ['search', 'se\u200barch'],
    ['search', 'sea\u0301rch'],
    ['search', 'ѕеаrсһ'],
    ['omega', 'οmega'],
    ['query', 'q\u2060uery'],
  ])('%s and %s', (a, b) => {
    expect(confusable(a, b)).toBe(true);
    expect(confusable(b, a)).toBe(true);
  });

  it.each([
    ['read_file', 'read_files'],
    ['get_item', 'set_item'],
    ['search', 'serach'],
    ['mail', 'mall'],
    ['push', 'pull'],
    ['a1', 'a2'],
  ])('not %s and %s', (a, b) => {
    expect(confusable(a, b)).toBe(false);
  });

  it('every name is confusable with itself, and with itself in another case', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.string(), (any, ascii) => {
        expect(confusable(any, any)).toBe(true);
        expect(confusable(ascii, ascii.toUpperCase())).toBe(true);
      }),
    );
  });
});

describe('text from outside', () => {
  it('shows what nobody would see, and reads back as JSON', () => {
    expect(visibleText('a\u001b[2J\u202eb\u{e0041}\u00a0c d')).toBe('a\\u001b[2J\\u202eb\\udb40\\udc41\\u00a0c d');
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(JSON.parse(visibleText(JSON.stringify(text)))).toBe(text);
      }),
    );
  });

  it('is cut at whole characters', () => {
    expect(visibleStart('abc', 3)).toBe('abc');
    expect(visibleStart('abcd', 3)).toBe('abc…');
    expect(visibleStart('😀😀😀', 2)).toBe('😀😀…');
  });
});
