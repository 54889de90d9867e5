import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compilePolicy } from '../../../gateway/policy/compile-policy.ts';
import { pairsOf, TextSketch } from '../../../gateway/policy/condition/text-sketch.ts';
import { compilePattern } from '../../../gateway/policy/linear-pattern.ts';
import { sha256, snapshot } from './_judging.ts';

const letters = fc.string({
  unit: fc.constantFrom('a', 'b', '/', '-', ' ', 'é', '\u{1f600}', '\ud800'),
  maxLength: 12,
});

/** A sketch that has seen the text before, as it has when a second pattern is asked. */
function sketchOf(text: string): TextSketch {
  const sketch = new TextSketch();
  sketch.rulesOut(text, pairsOf('zz'));
  return sketch;
}

describe('the sketch of a text', () => {
  it('never rules out what is there', () => {
    fc.assert(
      fc.property(letters, letters, letters, (before, literal, after) => {
        expect(sketchOf(before + literal + after).rulesOut(before + literal + after, pairsOf(literal))).toBe(false);
      }),
    );
  });

  it('rules out most of what is not there', () => {
    const sketch = sketchOf('ls -la /srv/projects && git status');
    const absent = Array.from({ length: 100 }, (_, i) => `/srv/${i}`);
    expect(absent.filter((literal) => sketch.rulesOut('ls -la /srv/projects && git status', pairsOf(literal)))).toEqual(
      absent,
    );
  });

  it('says nothing of a text it sees for the first time, nor of a long one', () => {
    expect(new TextSketch().rulesOut('abc', pairsOf('xyz'))).toBe(false);
    const long = 'abc'.repeat(1000);
    expect(sketchOf(long).rulesOut(long, pairsOf('xyz'))).toBe(false);
    expect(sketchOf('abc').rulesOut('abc', pairsOf('x'))).toBe(false);
  });

  it('changes no answer, whatever texts take turns', () => {
    fc.assert(
      fc.property(
        letters,
        letters,
        fc.array(
          letters.filter((l) => l !== ''),
          { minLength: 2, maxLength: 5 },
        ),
        (a, b, literals) => {
          const rules = literals.flatMap((literal, i) =>
            ['a', 'b'].flatMap((field) => [
              {
                id: `c-${field}${i}`,
                at: 'pre_tool_call',
                verdict: 'warn',
                when: `args.${field}.contains(${JSON.stringify(literal)})`,
              },
              {
                id: `m-${field}${i}`,
                at: 'pre_tool_call',
                verdict: 'warn',
                when: `args.${field}.matches(${JSON.stringify(`${literal}.?`)})`,
              },
            ]),
          );
          const wellFormed = literals.every((l) => l.isWellFormed());
          if (!wellFormed) return;
          const policy = JSON.stringify({ policy: 'tollgate/v1', name: 't', default: 'allow', rules });
          const judge = compilePolicy([{ path: 'p.yaml', text: policy }], sha256);
          const hits = judge.evaluate(snapshot({ action: { target: { a, b }, parts: [] } })).hits.map((h) => h.rule);
          const held = rules.filter(({ id }) => {
            const text = id[2] === 'a' ? a : b;
            const literal = literals[Number(id.slice(3))] as string;
            return id.startsWith('c') ? text.includes(literal) : compilePattern(`${literal}.?`).test(text);
          });
          expect(hits).toEqual(held.map((r) => `t/${r.id}`));
        },
      ),
      { numRuns: 200 },
    );
  });
});
