import { describe, expect, it } from 'vitest';
import type { Json } from '../../../gateway/domain/json.ts';
import { compilePattern } from '../../../gateway/policy/linear-pattern.ts';
import { judge, mistakes, rule, snapshot } from './_judging.ts';

const many = Array.from({ length: 300 }, (_, i) => i);
const NESTED = 'when: "args.l.all(x, args.l.all(y, args.l.all(z, x + y + z >= 0)))"';

/** Runs and returns milliseconds. */
function timed(work: () => void): number {
  const start = performance.now();
  work();
  return performance.now() - start;
}

describe('the step bound', () => {
  it.each([
    ['deny', 'deny', 'runtime_error:step_budget_exceeded'],
    ['escalate', 'deny', 'runtime_error:step_budget_exceeded'],
    ['transform, transform: [{ remove: /l }]', 'deny', 'runtime_error:step_budget_exceeded'],
    ['warn', 'warn', 'runtime_error:step_budget_exceeded'],
    ['allow', 'allow', undefined],
  ])('%s → %s, soon', (verdict, decision, reason) => {
    const j = judge(rule('r', `verdict: ${verdict}, ${NESTED}`));
    const snap = snapshot({ action: { target: { l: many } } });
    let got = j.evaluate(snap);
    const ms = timed(() => {
      got = j.evaluate(snap);
    });
    expect([got.decision, got.reason]).toEqual([decision, reason]);
    expect(got.hits[0]?.error).toBe('runtime_error:step_budget_exceeded');
    expect(ms).toBeLessThan(500);
  });

  it.each([
    ['|| true', `when: "args.l.all(x, args.l.all(y, args.l.all(z, x >= 0))) || true"`],
    ['true ||', `when: "args.l.exists(x, args.l.exists(y, args.l.exists(z, z < 0))) || run.steps == 3"`],
    ['&& false', `when: "args.l.all(x, args.l.all(y, args.l.all(z, x >= 0))) && false"`],
    [
      'texts that double',
      `when: "args.l.map(x, args.s + args.s).map(x, x + x).map(x, x + x).map(x, x + x).exists(x, x == 'a')"`,
    ],
    ['lists that double', `when: "args.l.exists(x, size(args.l + args.l + args.l) == 1)"`],
    ['equality of large values', `when: "args.l.exists(x, args.big == args.same && x < 0)"`],
    ['large texts again and again', `when: "args.l.exists(x, args.s.contains('zz') || args.s.matches('zz'))"`],
    ['a large text compared', `when: "args.l.exists(x, args.s == args.t && x < 0)"`],
    ['in, again and again', `when: "args.l.exists(x, args.l.exists(y, 'q' in args.names))"`],
  ])("can't be slipped past: %s", (_, when) => {
    const big: Json = Array.from({ length: 2000 }, (_x, i) => ({ i, s: [String(i)] }));
    const text = 'a'.repeat(200_000);
    const target = {
      l: many,
      big,
      same: structuredClone(big) as Json,
      s: text,
      t: `${'a'.repeat(199_999)}a`,
      names: Array.from({ length: 5000 }, () => 'n'),
    };
    const j = judge(rule('r', `verdict: deny, ${when}`));
    const snap = snapshot({ action: { target, parts: [] } });
    let reason: string | undefined;
    const ms = timed(() => {
      reason = j.evaluate(snap).reason;
    });
    expect(reason).toBe('runtime_error:step_budget_exceeded');
    expect(ms).toBeLessThan(3000);
  });

  it('is for one condition: the next has its own, until all of an evaluation are spent', () => {
    const snap = snapshot({ action: { target: { l: many } } });
    const next = judge(
      rule('a', `verdict: warn, ${NESTED}`) + rule('b', 'verdict: deny, reason: own, when: run.steps == 3'),
    ).evaluate(snap);
    expect([next.decision, next.reason]).toEqual(['deny', 'own']);
    const spent = judge(
      Array.from({ length: 12 }, (_, i) => rule(`a${i}`, `verdict: warn, ${NESTED}`)).join('') +
        rule('z', 'verdict: deny, when: run.steps == 99'),
    );
    expect(spent.evaluate(snap)).toMatchObject({
      decision: 'deny',
      rule: 't/z',
      reason: 'runtime_error:step_budget_exceeded',
    });
  });
});

describe('data without end', () => {
  it('nested deeply does not bring the judge down', () => {
    let deep: Json = 'x';
    for (let i = 0; i < 100_000; i += 1) deep = [deep];
    const got = judge(rule('r', 'verdict: deny, when: args.a == args.b')).evaluate(
      snapshot({ action: { target: { a: deep, b: [deep] }, parts: [] } }),
    );
    expect(got.decision).toBe('deny');
    expect(got.reason).toMatch(/^runtime_error:/);
  });
});

describe('patterns', () => {
  it.each(['(a+)+$', '(a|a)*$', '(a|aa)+$', '(.*a){20}$', '(a?){50}a{50}b', '^(\\w+\\s?)*$', '(x+x+)+y'])(
    '%s stays linear',
    (pattern) => {
      const compiled = compilePattern(pattern);
      const text = `${'a'.repeat(50_000)}${'x'.repeat(50_000)}!`;
      compiled.test(text.slice(0, 1000));
      expect(timed(() => compiled.test(text))).toBeLessThan(3000);
    },
  );

  it.each([
    '((a{100}){100}){100}',
    'a{2000}',
    '(?=a)',
    '(?<!a)b',
    '\\1',
    '(',
    'a'.repeat(2000),
    '(?:a{900}){1,5}'.repeat(60),
  ])('%s is refused', (pattern) => {
    expect(() => compilePattern(pattern)).toThrow(SyntaxError);
  });
});

describe('conditions', () => {
  const load = (when: string): string[] =>
    mistakes(
      `policy: tollgate/v1\nname: t\ndefault: allow\nrules:\n  - id: r\n    at: pre_tool_call\n    verdict: deny\n    when: ${JSON.stringify(when)}\n`,
    );
  it.each([
    ['too long', `run.steps > 1${' || run.steps > 1'.repeat(300)}`, /longer than 4096/],
    ['too deep in brackets', `${'('.repeat(2000)}true${')'.repeat(2000)}`, /nested too deeply/],
    ['too deep in members', `args${'.a'.repeat(100)} == 1`, /nested deeper than 64/],
    ['too deep in lists', `${'['.repeat(100)}1${']'.repeat(100)} == []`, /nested deeper than 64/],
    ['too deep in choices', `${'(true ? '.repeat(100)}true${' : false)'.repeat(100)}`, /nested deeper than 64/],
  ])('%s are refused', (_, when, message) => {
    expect(load(when)[0]).toMatch(message);
  });

  it('of many parts are not too deep', () => {
    const when = Array.from({ length: 100 }, (_, i) => `run.steps != ${i + 10}`).join(' && ');
    expect(judge(rule('r', `verdict: deny, when: "${when}"`)).evaluate(snapshot()).decision).toBe('deny');
  });
});
