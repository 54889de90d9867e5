import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileAnchors } from '../../../gateway/detectors/_shared/anchors.ts';

const hits = (words: readonly string[], text: string, from = 0, to = text.length): string[] => {
  const out: string[] = [];
  compileAnchors(words)(text, from, to, (word, start, end) => void out.push(`${words[word]}@${start}-${end}`));
  return out.sort();
};

const naive = (words: readonly string[], text: string): string[] => {
  const lower = text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  return words
    .flatMap((word) =>
      Array.from({ length: text.length }, (_, at) => at)
        .filter((at) => lower.startsWith(word, at))
        .map((at) => `${word}@${at}-${at + word.length}`),
    )
    .sort();
};

describe('compileAnchors', () => {
  it('finds what a naive search finds, overlaps and suffixes too', () => {
    const word = fc.string({ unit: fc.constantFrom('a', 'b', 'c', '-'), minLength: 1, maxLength: 5 });
    const text = fc.string({ unit: fc.constantFrom('a', 'b', 'c', '-', 'A', 'B', 'd', 'é', '日'), maxLength: 60 });
    fc.assert(
      fc.property(fc.uniqueArray(word, { minLength: 1, maxLength: 8 }), text, (words, hay) => {
        expect(hits(words, hay)).toEqual(naive(words, hay));
      }),
      { numRuns: 500 },
    );
  });

  it('reads only what it is told to', () => {
    expect(hits(['ab'], 'ababab', 1, 5)).toEqual(['ab@2-4']);
  });

  it('refuses words it could never find', () => {
    expect(() => compileAnchors(['AKIA'])).toThrow('lower-case');
    expect(() => compileAnchors(['naïve'])).toThrow('lower-case');
  });

  it('does not take a Kelvin sign for a k', () => {
    expect(hits(['key'], '\u212aey KEY')).toEqual(['key@4-7']);
  });
});
