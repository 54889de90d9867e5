import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { textMark } from '../../../gateway/domain/text-mark.ts';
import type { CountedTurn } from '../../../gateway/ports/runs.ts';
import { RunTexts } from '../../../gateway/stores/embedded/run-texts.ts';

/** A text of a request: what it is, the message it stands in, and what it says. */
interface Said {
  readonly source: string;
  readonly text: string;
  readonly message?: number;
}

interface Asked extends Partial<Omit<CountedTurn, 'sizes' | 'markOf' | 'sourceOf' | 'messageOf'>> {
  readonly step: number;
  readonly texts: readonly Said[];
  readonly input: number;
}

const turn = ({ texts, ...rest }: Asked): CountedTurn => ({
  model: 'm',
  tools: 0,
  around: 100,
  exact: true,
  answer: undefined,
  sizes: texts.map(({ text }) => text.length),
  markOf: (i) => textMark(texts[i]?.text as string),
  sourceOf: (i) => texts[i]?.source as string,
  messageOf: (i) => `/messages/${texts[i]?.message ?? i}`,
  ...rest,
});

/** Step, source, tokens and whether they are measured, of each stretch in order. */
const rows = (memory: RunTexts, asked: Asked): (readonly [number, string, number, boolean])[] => {
  const { origins, stretches } = memory.weigh(turn(asked));
  return stretches.map(({ by, tokens, measured }) => {
    const { step, source } = origins[by] as { step: number; source: string };
    return [step, source, tokens, measured] as const;
  });
};

const input = (text: string): Said => ({ source: 'input', text });
const said = (text: string, message?: number): Said => ({ source: 'said', text, ...(message && { message }) });
const result = (text: string, tool = 'search'): Said => ({ source: `tool:${tool}`, text });
const HELLO = input('h'.repeat(300));
const ANSWER = said('a'.repeat(80));
const PAGE = result('p'.repeat(4000));

describe('what the first turn reads', () => {
  it('is its own, by size', () => {
    expect(rows(new RunTexts(), { step: 1, texts: [HELLO], input: 100 })).toEqual([
      [1, 'request', 25, false],
      [1, 'input', 75, false],
    ]);
  });

  it('leaves out what its size cannot explain', () => {
    const found = rows(new RunTexts(), { step: 1, texts: [HELLO], input: 400_000 });
    expect(found.reduce((sum, [, , tokens]) => sum + tokens, 0)).toBe(400 * 2 + 1024);
  });
});

describe('a conversation that grows', () => {
  it('keeps the weights it had; one new text is the whole difference, and measured', () => {
    const memory = new RunTexts();
    rows(memory, { step: 1, texts: [HELLO], input: 100 });
    expect(rows(memory, { step: 2, texts: [HELLO, PAGE], around: 180, input: 1377 })).toEqual([
      [1, 'request', 25, false],
      [1, 'input', 75, false],
      [2, 'tool:search', 1277, true],
    ]);
    // measured stays measured in later turns, whatever else comes
    const later = rows(memory, {
      step: 3,
      texts: [HELLO, PAGE, said('x'.repeat(40)), input('y'.repeat(40)), result('z'.repeat(40))],
      around: 300,
      input: 1417,
    });
    expect(later.slice(0, 3)).toEqual([
      [1, 'request', 25, false],
      [1, 'input', 75, false],
      [2, 'tool:search', 1277, true],
    ]);
    expect(later.slice(3).every(([, , , measured]) => !measured)).toBe(true);
    expect(later.reduce((sum, [, , tokens]) => sum + tokens, 0)).toBe(1417);
  });

  it('is measured also where only the answer came with it, which its own turn counted', () => {
    const memory = new RunTexts();
    rows(memory, { step: 1, texts: [HELLO], input: 100, answer: 20 });
    expect(rows(memory, { step: 2, texts: [HELLO, ANSWER, PAGE], around: 300, input: 1220 }).slice(2)).toEqual([
      [1, 'said', 20, true],
      [2, 'tool:search', 1100, true],
    ]);
  });

  it.each<[string, Partial<Asked>, Partial<Asked>]>([
    ['nobody counted the answer', { answer: undefined }, {}],
    ['the answer thought more than it says', { answer: 200 }, {}],
    ['a turn is not the provider’s last word', { exact: false }, {}],
    ['nor is this one', {}, { exact: false }],
    ['another model counted', {}, { model: 'other' }],
    ['other tools were declared', {}, { tools: 7 }],
    ['a picture came along', {}, { around: 50_000 }],
    ['settings went', {}, { around: 20 }],
    ['something hidden was read', { input: 10_000 }, { input: 11_120 }],
    ['a second answer stands there', {}, { texts: [HELLO, said('a'.repeat(80), 1), said('b'.repeat(80), 2), PAGE] }],
    ['two things came', {}, { texts: [HELLO, ANSWER, PAGE, input('and?')] }],
  ])('is apportioned where %s', (_why, before, after) => {
    const memory = new RunTexts();
    rows(memory, { step: 1, texts: [HELLO], input: 100, answer: 20, ...before });
    const found = rows(memory, { step: 2, texts: [HELLO, ANSWER, PAGE], around: 300, input: 1220, ...after });
    expect(found.some(([, , , measured]) => measured)).toBe(false);
    expect(found.at(-1)?.[0]).toBe(2);
    expect(found.find(([, source]) => source === 'said')?.[0]).toBe(1);
  });

  it('charges what grew around the texts to the step that brought it', () => {
    const memory = new RunTexts();
    rows(memory, { step: 1, texts: [HELLO], input: 100 });
    expect(rows(memory, { step: 2, texts: [HELLO], around: 9000, input: 900 }).at(-1)).toEqual([
      2,
      'request',
      800,
      true,
    ]);
    expect(rows(memory, { step: 3, texts: [HELLO, PAGE], around: 9100, input: 1900 })).toEqual([
      [1, 'request', 25, false],
      [1, 'input', 75, false],
      [2, 'request', 800, true],
      [3, 'tool:search', 1000, true],
    ]);
  });

  it('gives a retry the same', () => {
    const memory = new RunTexts();
    const first = rows(memory, { step: 1, texts: [HELLO], input: 100 });
    expect(rows(memory, { step: 1, texts: [HELLO], input: 100 })).toEqual(first);
  });
});

describe('a history that was edited', () => {
  it('leaves what is left of it with the steps that brought it', () => {
    const memory = new RunTexts();
    const notes = Array.from({ length: 4 }, (_, i) => result(`note ${i}`.repeat(20)));
    for (let i = 0; i <= notes.length; i += 1)
      rows(memory, { step: i + 1, texts: [HELLO, ...notes.slice(0, i)], input: 100 + i * 40 });
    const compacted = rows(memory, {
      step: 6,
      texts: [HELLO, said('a summary of all that'), notes[3] as Said, result('new'.repeat(9))],
      input: 300,
    });
    expect(compacted.map(([step, source]) => [step, source])).toEqual([
      [1, 'request'],
      [1, 'input'],
      [5, 'said'],
      [5, 'tool:search'],
      [6, 'tool:search'],
    ]);
  });

  it('tells apart a result that comes twice', () => {
    const memory = new RunTexts();
    const same = result('still pending');
    rows(memory, { step: 1, texts: [HELLO, same], input: 110 });
    rows(memory, { step: 2, texts: [HELLO, same, same], input: 120 });
    const edited = rows(memory, { step: 3, texts: [input('other'), same, same, same], input: 130 });
    expect(edited.slice(2).map(([step]) => step)).toEqual([1, 2, 3]);
  });

  it('keeps conversations of sub-agents apart', () => {
    const memory = new RunTexts();
    rows(memory, { step: 1, texts: [HELLO], input: 100, answer: 20 });
    expect(rows(memory, { step: 2, texts: [said('you are a helper'), input('find it')], input: 60 })[1]?.[0]).toBe(2);
    expect(rows(memory, { step: 3, texts: [HELLO, ANSWER, PAGE], around: 300, input: 1220 }).slice(2)).toEqual([
      [1, 'said', 20, true],
      [3, 'tool:search', 1100, true],
    ]);
  });
});

describe('conversations of the same lengths', () => {
  it.each([0, 1, 3, 4])('are told apart by text %i at their ends', (place) => {
    const memory = new RunTexts();
    const texts = Array.from({ length: 5 }, (_, i) => input(`text number ${i}`));
    rows(memory, { step: 1, texts, input: 100 });
    const found = rows(memory, { step: 2, texts: texts.with(place, input(`text_number ${place}`)), input: 100 });
    expect(found.slice(1).map(([step]) => step)).toEqual(texts.map((_, i) => (i === place ? 2 : 1)));
  });
});

describe('any run', () => {
  const text = fc.record({
    source: fc.constantFrom('input', 'said', 'tool:a', 'tool:b'),
    text: fc.string({ minLength: 1, maxLength: 200 }),
  });
  const change = fc.record({
    drop: fc.nat(3),
    add: fc.array(text, { maxLength: 4 }),
    around: fc.nat(2000),
    input: fc.nat(5000),
    exact: fc.boolean(),
    answer: fc.option(fc.nat(100), { nil: undefined }),
    model: fc.constantFrom('m', 'm', 'm', 'n'),
  });

  it('weighs no more than its prompt, nothing less than zero, every text once', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 12 }), (changes) => {
        const memory = new RunTexts();
        let texts: Said[] = [];
        for (const [i, { drop, add, ...rest }] of changes.entries()) {
          texts = [...texts.slice(drop > 1 ? drop : 0), ...add];
          const found = rows(memory, { step: i + 1, texts, ...rest });
          expect(found.reduce((sum, [, , tokens]) => sum + tokens, 0)).toBeLessThanOrEqual(rest.input);
          expect(found.every(([step, , tokens]) => tokens >= 0 && step >= 1 && step <= i + 1)).toBe(true);
          expect(found.filter(([, source]) => source !== 'request')).toHaveLength(texts.length);
        }
      }),
    );
  });
});
