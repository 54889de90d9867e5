import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { detectors } from '../../../gateway/detectors/_all.ts';
import type { SourceFile } from '../../../gateway/domain/source.ts';
import { checkPolicy } from '../../../gateway/policy/check-policy.ts';
import { compilePolicy } from '../../../gateway/policy/compile-policy.ts';
import { readCases, runCases } from '../../../gateway/policy/run-cases.ts';
import { DETECTORS, judge, rule, sha256 } from './_judging.ts';

const file = (path: string): SourceFile => ({
  path,
  text: readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8'),
});
const STARTER = file('policies/starter/policy.yaml');
const CASES = file('policies/starter/cases.yaml');

describe('the starter bundle', () => {
  it('loads with the detectors the gate has, decides its cases and leaves no rule without one', () => {
    const check = checkPolicy([STARTER], detectors, [CASES]);
    expect(check).toEqual({ problems: [], warnings: [], bundles: [{ name: 'starter', rules: 7 }], cases: 1074 });
  });
});

const TWO = 'policies/t/cases.yaml';
const run = (cases: string): ReturnType<typeof runCases> =>
  runCases(judge(rule('r', 'verdict: deny, tools: bash, when: run.steps > 5, labels: [x]')), {
    path: TWO,
    text: `cases:\n${cases}`,
  });

describe('cases', () => {
  it('hold or say what differs', () => {
    const report = run(
      '  - { name: yes, at: pre_tool_call, tool: bash, facts: { run: { steps: 6 } }, expect: { decision: deny, rule: r, labels: [x], hits: [r] } }\n' +
        '  - { name: no, at: pre_tool_call, tool: bash, expect: { decision: deny, rule: t/r, reason: y } }\n',
    );
    expect(report.problems).toEqual([]);
    expect(report.covered).toEqual(['t/r']);
    expect(report.results.map((r) => [r.name, r.line, r.failures])).toEqual([
      ['yes', 2, []],
      [
        'no',
        3,
        [
          'decision is `"allow"`, expected `"deny"`',
          'rule is nothing, expected `"t/r"`',
          'reason is nothing, expected `"y"`',
        ],
      ],
    ]);
  });

  it.each([
    [
      'a misspelt field',
      '  - { name: a, at: input, expct: { decision: deny } }\n',
      /2:27: unknown field `expct`; did you mean `expect`\?/,
    ],
    [
      'a misspelt fact',
      '  - { name: a, at: input, facts: { rn: {} }, expect: { decision: deny } }\n',
      /unknown field `rn`; did you mean `run`\?/,
    ],
    [
      'a finding that is not there',
      '  - { name: a, at: input, text: abc, findings: [{ kind: k, text: xyz }], expect: { decision: deny } }\n',
      /stands nowhere in the target/,
    ],
    [
      'an escalation that cannot be',
      '  - { name: a, at: input, expect: { decision: maybe } }\n',
      /`decision` must be one of/,
    ],
    ['bad YAML', '  - {\n', /./],
  ])('%s is a problem with a place', (_, cases, message) => {
    const { problems, results } = run(cases);
    expect(results).toEqual([]);
    expect(problems.map((p) => `${p.line}:${p.column}: ${p.message}`).join('\n')).toMatch(message);
  });

  it('are one for each text of `each`, which stands wherever `<each>` does', () => {
    const entry = (name: string, each: string): string =>
      `  - { name: "${name}", each: ${each}, at: pre_tool_call, tool: <each>, args: { a: ["x <each> $& <each>"] }, facts: { run: { steps: 6 } }, expect: { decision: deny, rule: r } }\n`;
    const report = run(entry('<each> is guarded', '[bash, sh]'));
    expect(report.results.map((r) => [r.name, r.line, r.failures.length])).toEqual([
      ['bash is guarded', 2, 0],
      ['sh is guarded', 2, 2],
    ]);
    const j = judge(rule('r', 'verdict: deny, when: \'args.a[0] == "x $$ $& $$"\''));
    const [only] = readCases({ path: TWO, text: `cases:\n${entry('<each>', '["$$"]')}` }).cases;
    expect(only && j.evaluate(only.snapshot).decision).toBe('deny');
    const plain = '  - { name: <each>, at: pre_tool_call, tool: <each>, expect: { decision: allow } }\n';
    expect(run(plain).results.map((r) => r.name)).toEqual(['<each>']);
    expect(
      run(entry('no name of its own', '[bash]')).problems.map((p) => `${p.line}:${p.column} ${p.message}`),
    ).toEqual(['2:13 write `<each>` into the name, so that each case has its own']);
    expect(run(entry('<each>', '"a😀*"')).results.map((r) => r.name)).toEqual(['a', '😀', '*']);
    expect(run(entry('<each>', '[]')).problems[0]?.message).toBe('`each` must name at least one');
    expect(run(entry('<each>', '""')).problems[0]?.message).toBe('`each` must not be empty');
  });

  it('may let real detectors look', () => {
    const j = compilePolicy([STARTER], sha256, detectors);
    const scan = (text: string): { kind: string; start: number; end: number; confidence: number }[] =>
      [...text.matchAll(/hunter2/g)].map((m) => ({
        kind: 'secret.password',
        start: m.index,
        end: m.index + 7,
        confidence: 1,
      }));
    const cases =
      'cases:\n  - { name: a, at: output, text: "say hunter2", expect: { decision: transform, target: "say <PASSWORD_1>" } }\n';
    expect(runCases(j, { path: 'policies/starter/cases.yaml', text: cases }, scan).results[0]?.failures).toEqual([]);
  });
});

describe('check', () => {
  const check = (rules: string): string[] =>
    checkPolicy(
      [{ path: 'p/t/policy.yaml', text: `policy: tollgate/v1\ndefault: allow\nrules:\n${rules}` }],
      DETECTORS,
    ).warnings.map((w) => `${w.line}: ${w.message}`);

  it('warns of rules that never match, say the same twice, wait behind a wall, deny everything, or have no case', () => {
    expect(check(rule('a', 'verdict: deny, tools: x, when: false'))).toEqual([
      '4: this rule can never match; remove it or correct its condition',
      '4: no case in `cases.yaml` makes this rule match; add one',
    ]);
    expect(
      check(
        rule('a', 'verdict: warn, tools: x, when: run.steps > 1') +
          rule('b', 'verdict: warn, tools: x, when: run.steps > 1'),
      ),
    ).toContain('5: this rule says what `t/a` says; remove one');
    expect(
      check(rule('a', 'verdict: deny, tools: x') + rule('b', 'verdict: warn, tools: x, when: run.steps > 1')),
    ).toContain('5: `t/a` denies every call this rule could match, so it never decides');
    expect(check(rule('a', 'verdict: deny'))).toContain(
      '4: this rule denies everything at `pre_tool_call`; give it a condition or a selector',
    );
    expect(check(rule('a', 'verdict: warn, tools: x, when: run.steps > 1'))).toEqual([
      '4: no case in `cases.yaml` makes this rule match; add one',
    ]);
  });

  it('reports mistakes and failed cases as problems', () => {
    expect(checkPolicy([{ path: 'p/t/policy.yaml', text: 'policy: tollgate/v1\n' }], []).problems).toMatchObject([
      { line: 1, message: expect.stringContaining('`default` is missing') },
    ]);
    const policy = { path: 'p/t/policy.yaml', text: 'policy: tollgate/v1\ndefault: allow\n' };
    const cases = {
      path: 'p/t/cases.yaml',
      text: 'cases:\n  - { name: a, at: input, text: x, expect: { decision: deny } }\n',
    };
    expect(checkPolicy([policy], [], [cases]).problems).toMatchObject([
      {
        file: 'p/t/cases.yaml',
        line: 2,
        message: 'the case `a` does not hold: decision is `"allow"`, expected `"deny"`',
      },
    ]);
  });
});
