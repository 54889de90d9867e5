import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hammingDistance, type SimHash, simHash } from '../../../gateway/domain/simhash.ts';

const of = (text: string): SimHash => simHash(text) as SimHash;
const between = (a: string, b: string): number => hammingDistance(of(a), of(b));

const word = fc.stringMatching(/^[a-zé]{3,12}$/);
const words = (count: number) => fc.uniqueArray(word, { minLength: count, maxLength: count, size: 'max' });

/** A text as people write it: few words come often, most come once. */
const prose = (vocabulary: readonly string[]): string[] =>
  vocabulary.flatMap((w, i) => [vocabulary[i % 7] as string, w, vocabulary[i % 13] as string, w]);

describe('the sketch of a text', () => {
  it('is the same for the same words, whatever their case and what stands between them', () => {
    fc.assert(
      fc.property(fc.array(word, { minLength: 1, maxLength: 60 }), (said) => {
        expect(between(said.join(' '), said.join(' '))).toBe(0);
        expect(between(said.join(' '), `"${said.join(',\n  ')}."`)).toBe(0);
        const ascii = said.map((w) => w.replaceAll('é', 'e'));
        expect(between(ascii.join(' '), ascii.join(' ').toUpperCase())).toBe(0);
      }),
    );
  });

  it('has a distance that is symmetric, from 0 to 64', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }), (a, b) => {
        const [one, two] = [simHash(a), simHash(b)];
        if (!one || !two) return;
        const distance = hammingDistance(one, two);
        expect(hammingDistance(two, one)).toBe(distance);
        expect(distance >= 0 && distance <= 64).toBe(true);
      }),
    );
  });

  it('keeps a long answer near where one word changed, and other words far', { timeout: 60_000 }, () => {
    fc.assert(
      fc.property(words(240), words(240), fc.nat(959), (vocabulary, others, at) => {
        const text = prose(vocabulary);
        expect(between(text.join(' '), text.with(at, 'changed').join(' '))).toBeLessThanOrEqual(3);
        const strange = prose(others.filter((w) => !vocabulary.includes(w)));
        expect(between(text.join(' '), strange.join(' '))).toBeGreaterThan(3);
      }),
      { numRuns: 40 },
    );
  });

  it('is none of what has no words', () => {
    expect([simHash(''), simHash(' \n—“”… !')]).toEqual([undefined, undefined]);
  });

  it('reads scripts without spaces character by character', () => {
    const text = '我已经检查了所有的文件并且没有发现任何问题请告诉我下一步应该做什么以便继续完成这个任务'.repeat(4);
    expect(between(text, text.replace('检查', '查看'))).toBeLessThanOrEqual(6);
    expect(
      between(text, '今天天气很好适合出去散步和朋友一起喝茶聊天看书听音乐放松心情享受生活的美好时光'.repeat(4)),
    ).toBeGreaterThan(10);
  });
});
