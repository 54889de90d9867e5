import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PlacedFinding } from '../../../gateway/domain/finding.ts';
import { RunTokens } from '../../../gateway/pipeline/run-tokens.ts';

const SPACE = { tenant: 't', key: 'k' };
const EMAIL = /[a-z]+@[a-z]+\.test/g;

function found(text: string, at = '/0', kind = 'pii.email'): PlacedFinding[] {
  return [...text.matchAll(EMAIL)].map((m) => ({
    kind,
    at,
    start: m.index,
    end: m.index + m[0].length,
    confidence: 1,
    status: 'found',
  }));
}

/** The tokens of one text, in order. */
const tokens = (book: RunTokens, text: string, run = 'r', kind = 'pii.email', space = SPACE) =>
  book.place(space, run, [{ at: '/0', text }], found(text, '/0', kind)).map((f) => f.token);

describe('tokens of a run', () => {
  it('number values by first appearance: one value, one token, in every later turn', () => {
    const book = new RunTokens();
    expect(tokens(book, 'a@x.test b@x.test a@x.test')).toEqual(['<EMAIL_1>', '<EMAIL_2>', '<EMAIL_1>']);
    expect(tokens(book, 'c@x.test b@x.test')).toEqual(['<EMAIL_3>', '<EMAIL_2>']);
    expect(tokens(book, 'a@x.test b@x.test a@x.test')).toEqual(['<EMAIL_1>', '<EMAIL_2>', '<EMAIL_1>']);
  });

  it('are counted by kind, and anew in each run, key and tenant', () => {
    const book = new RunTokens();
    tokens(book, 'a@x.test b@x.test');
    expect(tokens(book, 'b@x.test', 'other')).toEqual(['<EMAIL_1>']);
    expect(tokens(book, 'b@x.test', 'r', 'pii.email', { tenant: 't', key: 'k2' })).toEqual(['<EMAIL_1>']);
    expect(tokens(book, 'b@x.test', 'r', 'pii.email', { tenant: 't2', key: 'k' })).toEqual(['<EMAIL_1>']);
    expect(tokens(book, 'b@x.test', 'r', 'secret.api_key')).toEqual(['<API_KEY_1>']);
  });

  it('follow the order of the parts, not of the detectors', () => {
    const parts = [
      { at: '/0', text: 'a@x.test' },
      { at: '/1', text: 'b@x.test' },
    ];
    const findings = [...found('b@x.test', '/1'), ...found('a@x.test', '/0')];
    const placed = new RunTokens().place(SPACE, 'r', parts, findings);
    expect(placed.map((f) => [f.at, f.token])).toEqual([
      ['/1', '<EMAIL_2>'],
      ['/0', '<EMAIL_1>'],
    ]);
  });

  it('never take a look-alike: not one of this text, not one of an earlier turn', () => {
    const book = new RunTokens();
    expect(tokens(book, 'write to <EMAIL_1> or a@x.test')).toEqual(['<EMAIL_2>']);
    expect(tokens(book, 'and <EMAIL_3> says hello')).toEqual([]);
    expect(tokens(book, 'b@x.test')).toEqual(['<EMAIL_4>']);
    expect(tokens(book, 'write to <EMAIL_1> or a@x.test')).toEqual(['<EMAIL_2>']);
  });

  it('leave a detector that failed without one', () => {
    const unknown: PlacedFinding = { kind: 'pii.email', at: '/0', start: 0, end: 3, confidence: 1, status: 'unknown' };
    expect(new RunTokens().place(SPACE, 'r', [{ at: '/0', text: 'abc' }], [unknown])).toEqual([unknown]);
  });

  it('are bounded: beyond it a value is named by its kind, and the oldest run is forgotten', () => {
    const book = new RunTokens({ runs: 1, perRun: 2 });
    expect(tokens(book, 'a@x.test b@x.test c@x.test')).toEqual(['<EMAIL_1>', '<EMAIL_2>', '[redacted:pii.email]']);
    expect(tokens(book, 'b@x.test a@x.test')).toEqual(['<EMAIL_2>', '<EMAIL_1>']);
    tokens(book, 'z@x.test', 'newer');
    expect(tokens(book, 'b@x.test')).toEqual(['<EMAIL_1>']);
  });

  it('over any conversation: a value keeps its token, two values never share one, none is in a text that came before', () => {
    const word = fc.oneof(
      fc.constantFrom('a@x.test', 'b@x.test', 'c@x.test', 'd@x.test'),
      fc.integer({ min: 1, max: 9 }).map((n) => `<EMAIL_${n}>`),
      fc.constantFrom('hello', '<EMAIL_0>', '<EMAIL_>', '<'),
    );
    const turn = fc.array(word, { maxLength: 6 }).map((words) => words.join(' '));
    fc.assert(
      fc.property(fc.array(turn, { maxLength: 8 }), (turns) => {
        const book = new RunTokens();
        const names = new Map<string, string>();
        let before = '';
        for (const text of turns) {
          before += ` ${text}`;
          const values = [...text.matchAll(EMAIL)].map((m) => m[0]);
          for (const [i, token] of tokens(book, text).entries()) {
            const value = values[i] as string;
            if (!names.has(value)) expect(before).not.toContain(token as string);
            expect(names.get(value) ?? token).toBe(token);
            names.set(value, token as string);
          }
        }
        expect(new Set(names.values()).size).toBe(names.size);
      }),
      { numRuns: 300 },
    );
  });
});

describe('values that may be put back', () => {
  const parts = (text: string) => [{ at: '/0', text }];
  const keep = (book: RunTokens, text: string, run = 'r', keeps = (_kind: string): boolean => true) =>
    book.place(SPACE, run, parts(text), found(text), keeps);
  const values = (book: RunTokens, text: string, run = 'r', space = SPACE) =>
    book.recall(space, run, parts(text)).map((t) => [t.token, t.value]);

  it('are those of kinds that a rule names, in their own run only, where they stand', () => {
    const book = new RunTokens();
    keep(book, 'a@x.test b@x.test', 'r', (kind) => kind === 'pii.email');
    expect(book.recall(SPACE, 'r', parts('to <EMAIL_2>'))).toEqual([
      { token: '<EMAIL_2>', word: 'EMAIL', at: '/0', start: 3, end: 12, kind: 'pii.email', value: 'b@x.test' },
    ]);
    expect(values(book, '<EMAIL_1> <EMAIL_3>')).toEqual([
      ['<EMAIL_1>', 'a@x.test'],
      ['<EMAIL_3>', undefined],
    ]);
    expect(values(book, '<EMAIL_1>', 'other')).toEqual([['<EMAIL_1>', undefined]]);
    expect(values(book, '<EMAIL_1>', 'r', { tenant: 't2', key: 'k' })).toEqual([['<EMAIL_1>', undefined]]);
    keep(book, 'c@x.test', 'r', () => false);
    expect(values(book, '<EMAIL_3>')).toEqual([['<EMAIL_3>', undefined]]);
    // a rule that came later finds them when the history comes again
    keep(book, 'c@x.test');
    expect(values(book, '<EMAIL_3>')).toEqual([['<EMAIL_3>', 'c@x.test']]);
  });

  it('are bounded: the quietest run loses its values first, and no token changes its meaning', () => {
    const book = new RunTokens({ runs: 2, perRun: 100, kept: 20 });
    keep(book, 'a@x.test', 'one');
    keep(book, 'b@x.test', 'two');
    keep(book, 'c@x.test', 'two');
    expect(values(book, '<EMAIL_1>', 'one')).toEqual([['<EMAIL_1>', undefined]]);
    expect(values(book, '<EMAIL_1> <EMAIL_2>', 'two').map(([, v]) => v)).toEqual(['b@x.test', 'c@x.test']);
    keep(book, 'a@x.test', 'one');
    expect(values(book, '<EMAIL_1>', 'one')).toEqual([['<EMAIL_1>', 'a@x.test']]);
  });
});
