import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TextMap } from '../../../gateway/domain/text-map.ts';
import { textMark } from '../../../gateway/domain/text-mark.ts';

/** Texts of one length that differ where a mark does not look. */
const twin = (n: number): string => `${'head '.repeat(20)}${String(n).padStart(6, '0')}${' tail'.repeat(40)}`;

describe('a map of long texts', () => {
  it('tells apart what shares a mark, however much of it there is', () => {
    expect(new Set(Array.from({ length: 40 }, (_, n) => textMark(twin(n)))).size).toBe(1);
    const map = new TextMap<number>();
    for (let n = 0; n < 40; n += 1) expect(map.of(twin(n), () => n)).toBe(n);
    for (let n = 0; n < 40; n += 1) expect(map.of(twin(n), () => -1)).toBe(n);
  });

  it('knows a text again that is another string', () => {
    const map = new TextMap<number>();
    map.of(twin(1), () => 1);
    expect(map.of(Buffer.from(twin(1)).toString(), () => 2)).toBe(1);
  });

  it('is a map', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.string(), fc.nat(60).map(twin))), (texts) => {
        const known = new Map<string, number>();
        const map = new TextMap<number>();
        for (const [i, text] of texts.entries()) {
          if (!known.has(text)) known.set(text, i);
          expect(map.of(text, () => i)).toBe(known.get(text));
        }
      }),
    );
  });
});
