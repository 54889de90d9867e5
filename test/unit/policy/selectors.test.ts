import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { POINTS } from '../../../gateway/domain/action.ts';
import { NAME_PATTERN } from '../../../gateway/domain/name-pattern.ts';
import { globMatches, parseGlob } from '../../../gateway/policy/glob.ts';
import { compilePattern, requiredText } from '../../../gateway/policy/linear-pattern.ts';
import { stopwatch } from '../../support/stopwatch.ts';
import { judge, rule, snapshot } from './_judging.ts';

const hits = (fields: string, change: Parameters<typeof snapshot>[0] = {}): boolean =>
  judge(rule('r', `verdict: deny, ${fields}`)).evaluate(snapshot(change)).decision === 'deny';

describe('selectors', () => {
  it.each<[string, Parameters<typeof snapshot>[0], boolean]>([
    ['tools: bash', {}, true],
    ['tools: Bash', {}, false],
    ['tools: [x, "b*"]', {}, true],
    ['tools: "*sh"', {}, true],
    ['tools: "?ash"', {}, true],
    ['tools: "b-?-*h"', { action: { tool: { name: 'b-a-sh' } } }, true],
    ['tools: "?"', {}, false],
    ['tools: "*"', {}, true],
    ['tools: "*"', { action: { tool: undefined } }, false],
    ['tools: "*__exec"', { action: { tool: { name: 'fs__exec' } } }, true],
    ['servers: mail', { action: { tool: { name: 'send', server: 'mail' } } }, true],
    ['servers: mail', {}, false],
    ['models: "gpt-*"', { action: { model: { provider: 'openai', name: 'gpt-5', stream: false, tools: [] } } }, true],
    ['models: "gpt-*"', {}, false],
    ['providers: openai', { action: { model: { provider: 'openai', name: 'gpt-5', stream: false, tools: [] } } }, true],
    ['agents: coder', {}, true],
    ['agents: other', {}, false],
    ['humans: mo', {}, true],
    ['humans: "*"', { human: { id: '' } }, false],
    ['tenants: [acme, b]', {}, true],
    ['groups: "de*"', {}, true],
    ['groups: ops', {}, false],
    ['groups: "*"', { human: { groups: [] } }, false],
    ['tiers: gold', {}, true],
    ['tools: bash, agents: other', {}, false],
    ['tools: bash, agents: coder, groups: dev, tiers: "g*"', {}, true],
  ])('%s', (fields, change, expected) => {
    expect(hits(fields, change)).toBe(expected);
  });

  it('points are exact, and several may be named', () => {
    for (const point of POINTS) {
      expect(hits(`at: [${point}, input]`, { action: { point } })).toBe(true);
      expect(hits(`at: ${point === 'input' ? 'output' : 'input'}`, { action: { point } })).toBe(false);
    }
  });
});

describe('the index', () => {
  const glob = fc.stringMatching(/^[a_*?]{1,5}$/).filter((pattern) => NAME_PATTERN.test(pattern));
  const name = fc.stringMatching(/^[a_]{1,6}$/);

  it('finds exactly the rules whose selectors fit, in document order', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(glob, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 12 }),
        name,
        (rules, tool) => {
          const j = judge(
            rules
              .map((globs, i) =>
                rule(`r${i}`, `verdict: warn, ${i % 3 === 0 ? 'agents: "c*", ' : ''}tools: ${JSON.stringify(globs)}`),
              )
              .join(''),
          );
          const got = j.evaluate(snapshot({ action: { tool: { name: tool } } })).hits.map((h) => h.rule);
          const fits = (pattern: string): boolean =>
            new RegExp(`^${pattern.replaceAll('*', '.*').replaceAll('?', '.')}$`).test(tool);
          expect(got).toEqual(rules.flatMap((globs, i) => (globs.some(fits) ? [`t/r${i}`] : [])));
        },
      ),
      { numRuns: 150 },
    );
  });

  it('a glob agrees with the regular expression it stands for, and stays linear-ish', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[ab*?]{0,8}$/), fc.stringMatching(/^[ab]{0,12}$/), (pattern, text) => {
        const expected = new RegExp(`^${pattern.replaceAll('*', '.*').replaceAll('?', '.')}$`).test(text);
        expect(globMatches(parseGlob(pattern), text)).toBe(expected);
      }),
      { numRuns: 2000 },
    );
    const took = stopwatch();
    expect(globMatches(parseGlob(`${'*a'.repeat(50)}*b`), 'a'.repeat(20_000))).toBe(false);
    expect(took()).toBeLessThan(1000);
  });
});

describe('the text a pattern needs', () => {
  it.each([
    ['rm\\s+-rf\\s+/srv/x(\\s|$)', '/srv/x'],
    ['abc', 'abc'],
    ['ab?c', 'a'],
    ['ab*cd', 'cd'],
    ['ab+cd', 'ab'],
    ['ab{2}c', 'a'],
    ['a|b', ''],
    ['(a|b)cd', 'cd'],
    ['(?i)abc', ''],
    ['(?:x)abc', 'abc'],
    ['[abc]de', 'de'],
    ['[]a]de', 'de'],
    ['[[:alpha:]]de', 'de'],
    ['a\\.b\\dcd', 'a.b'],
    ['\\x41bc', 'bc'],
    ['\\pLbcd', 'bcd'],
    ['\\p{Lu}bcd', 'bcd'],
    ['\\Qa|b\\E', ''],
    ['^start.*end$', 'start'],
  ])('%s', (pattern, expected) => {
    expect(requiredText(pattern)).toBe(expected);
  });

  it('never hides a match', () => {
    const piece = fc.constantFrom(
      'a',
      'b',
      'ab',
      '.',
      '\\.',
      '[ab]',
      '(a|b)',
      'a*',
      'b?',
      'ab+',
      '^',
      '$',
      '(?:ab)',
      'a{0,2}',
      'b{1}',
      '|',
      '\\s',
      '\\x61',
      '(a(b|a))?',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 6 }), fc.stringMatching(/^[ab. ]{0,10}$/), (pieces, text) => {
        const pattern = pieces.join('');
        let native: RegExp;
        try {
          native = new RegExp(pattern);
        } catch {
          return;
        }
        expect(compilePattern(pattern).test(text)).toBe(native.test(text));
      }),
      { numRuns: 2000 },
    );
  });
});
