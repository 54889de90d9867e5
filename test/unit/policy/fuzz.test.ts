import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { POINTS } from '../../../gateway/domain/action.ts';
import type { Json } from '../../../gateway/domain/json.ts';
import { DECISIONS, RUNTIME_ERRORS } from '../../../gateway/domain/verdict.ts';
import { compilePolicy } from '../../../gateway/policy/compile-policy.ts';
import { FUNCTIONS } from '../../../gateway/policy/condition/functions.ts';
import { NAMES } from '../../../gateway/policy/condition/names.ts';
import type { Judge } from '../../../gateway/policy/judge.ts';
import { PolicyFault } from '../../../gateway/policy/policy-fault.ts';
import { DETECTORS, found, parts, sha256, snapshot } from './_judging.ts';

vi.setConfig({ testTimeout: 60_000 });

const SEED = `policy: tollgate/v1
name: t
default: allow
tools: { "send_*": { effect: egress, destinations: [/to] } }
lists: { staff: [a.example] }
rules:
  - id: a
    at: [pre_tool_call]
    tools: [bash, "*__exec"]
    when: text.matches("rm\\\\s+-rf") && !args.list.exists(x, x > 2 || x in lists.staff)
    unless: 'run.identical_calls >= 5 ? has(args.x) : args["y"].startsWith("z")'
    detect: [secrets, pii.email]
    verdict: transform
    transform: [{ redact: [secret.*], as: token }, { set: /limit, to: 10 }, { remove: "/items/*/x" }]
    labels: [confidential]
    expires: 2027-01-31
`;

/** Loads, or says why not; anything but a PolicyFault is a failure of the loader. */
function load(text: string): Judge | undefined {
  try {
    return compilePolicy([{ path: 'p/t/policy.yaml', text }], sha256, DETECTORS);
  } catch (error) {
    if (!(error instanceof PolicyFault)) throw error;
    expect(error.problems.length).toBeGreaterThan(0);
    for (const p of error.problems) {
      expect(p.line).toBeGreaterThanOrEqual(1);
      expect(p.column).toBeGreaterThanOrEqual(1);
      expect(p.message).not.toBe('');
    }
    return undefined;
  }
}

const json: fc.Arbitrary<Json> = fc.letrec<{ v: Json }>((tie) => ({
  v: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom<Json>(null, true, 0, 1, -1, 1.5, 1e308, 'rm -rf /', 'a.example', 'zed', ''),
    fc.string(),
    fc.array(tie('v'), { maxLength: 4 }),
    fc.dictionary(fc.constantFrom('x', 'y', 'list', 'limit', 'items', 'command', 'constructor'), tie('v'), {
      noNullPrototype: true,
    }),
  ),
})).v;

const target = fc.dictionary(fc.constantFrom('x', 'y', 'list', 'items', 'command', 'limit'), json, {
  noNullPrototype: true,
});
const finding = fc.record({
  kind: fc.constantFrom('secret.jwt', 'pii.email', 'odd'),
  at: fc.constantFrom('/x', '/command', '', '/nowhere'),
  start: fc.integer({ min: -1, max: 9 }),
  end: fc.integer({ min: -1, max: 9 }),
});

/** Whatever the snapshot: a verdict of the closed set, no reason a policy could not give but the gate's own. */
function judgeAnything(
  j: Judge,
  given: Json,
  findings: readonly { kind: string; at: string; start: number; end: number }[],
): void {
  for (const point of POINTS) {
    const verdict = j.evaluate(
      snapshot({
        action: { point, target: given, parts: parts(given) },
        findings: findings.map((f) => found(f.kind, f.at, f.start, f.end)),
      }),
    );
    expect(DECISIONS).toContain(verdict.decision);
    expect(verdict.decision).not.toBe('escalate');
    if (verdict.reason?.startsWith('runtime_error:')) expect(RUNTIME_ERRORS).toContain(verdict.reason);
    expect(verdict.reason).not.toBe('runtime_error:internal');
    if (verdict.decision !== 'transform') expect(verdict.edits).toEqual([]);
  }
}

describe('the loader', () => {
  it('answers any text with a judge or a PolicyFault', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => void load(text)),
      { numRuns: 400 },
    );
  });

  it('answers any policy with a piece changed', () => {
    const piece = fc.oneof(
      fc.string({ maxLength: 4 }),
      fc.constantFrom(
        '\n',
        '  ',
        ': ',
        '- ',
        '[',
        '{',
        '"',
        "'",
        '&a ',
        '*a',
        '!!int ',
        '<<: ',
        '? ',
        '|',
        '>',
        '#',
        '---\n',
        '%',
        '\u0000',
        '\ud800',
        '__proto__',
        'constructor',
        'null',
        '~',
        '.inf',
        '0x1',
      ),
    );
    fc.assert(
      fc.property(
        fc.nat(SEED.length),
        fc.nat(6),
        piece,
        (at, cut, text) => void load(SEED.slice(0, at) + text + SEED.slice(at + cut)),
      ),
      { numRuns: 500 },
    );
  });

  it('answers any value where a field is expected', () => {
    fc.assert(
      fc.property(
        json,
        fc.constantFrom('policy', 'name', 'default', 'mode', 'tools', 'lists', 'rules'),
        (value, field) => {
          load(JSON.stringify({ policy: 'tollgate/v1', default: 'allow', [field]: value }));
        },
      ),
      { numRuns: 300 },
    );
    const fields = [
      'id',
      'at',
      'tools',
      'when',
      'unless',
      'detect',
      'verdict',
      'transform',
      'reason',
      'labels',
      'halt',
      'expires',
      'approval',
      'watch',
      'doc',
      'x',
    ];
    fc.assert(
      fc.property(json, fc.constantFrom(...fields), (value, field) => {
        load(
          JSON.stringify({
            policy: 'tollgate/v1',
            default: 'allow',
            rules: [{ id: 'r', at: 'input', verdict: 'deny', [field]: value }],
          }),
        );
      }),
      { numRuns: 400 },
    );
  });
});

/** Conditions that are mostly well formed, from the words of the language. */
const expression: fc.Arbitrary<string> = fc.letrec<{ e: string }>((tie) => ({
  e: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom(
      ...NAMES.keys(),
      'lists.staff',
      'args.x',
      'args.list',
      'args.items',
      'x',
      'args["y"]',
      'findings[0].kind',
    ),
    fc.constantFrom(
      '1',
      '0',
      '-1',
      '2.5',
      '"a"',
      '"rm"',
      'true',
      'false',
      'null',
      '[]',
      '{}',
      '9223372036854775807',
      'timestamp("2026-01-01T00:00:00Z")',
      'duration("1h")',
    ),
    fc
      .tuple(
        tie('e'),
        fc.constantFrom('&&', '||', '==', '!=', '<', '<=', '>', '>=', '+', '-', '*', '/', '%', 'in'),
        tie('e'),
      )
      .map(([a, op, b]) => `(${a} ${op} ${b})`),
    fc.tuple(tie('e'), tie('e'), tie('e')).map(([a, b, c]) => `(${a} ? ${b} : ${c})`),
    tie('e').map((a) => `!(${a})`),
    tie('e').map((a) => `-(${a})`),
    fc.tuple(tie('e'), tie('e')).map(([a, b]) => `${a}[${b}]`),
    fc
      .tuple(tie('e'), fc.constantFrom('all', 'exists', 'exists_one', 'map', 'filter'), tie('e'))
      .map(([a, m, b]) => `${a}.${m}(x, ${b})`),
    fc
      .tuple(fc.constantFrom(...new Set(FUNCTIONS.map((f) => f.name))), tie('e'), fc.boolean(), tie('e'))
      .map(([f, a, method, b]) => (method ? `${a}.${f}(${b})` : `${f}(${a})`)),
    fc.tuple(tie('e'), tie('e')).map(([a, b]) => `[${a}, ${b}]`),
    tie('e').map((a) => `{"k": ${a}}`),
    tie('e').map((a) => `has(${a}.x)`),
  ),
})).e;

const withCondition = (when: string): string =>
  JSON.stringify({
    policy: 'tollgate/v1',
    name: 't',
    default: 'allow',
    lists: { staff: ['a'] },
    rules: [{ id: 'r', at: [...POINTS], verdict: 'deny', when: `point != "" && (${when})` }],
  });

describe('the judge', () => {
  it('gives a verdict of its closed set for every condition that loads and every call', () => {
    let loaded = 0;
    fc.assert(
      fc.property(expression, target, fc.array(finding, { maxLength: 2 }), (when, given, findings) => {
        const j = load(withCondition(when));
        if (!j) return;
        loaded += 1;
        judgeAnything(j, given, findings);
      }),
      { numRuns: 1500 },
    );
    expect(loaded).toBeGreaterThan(25);
  });

  it('answers any text as a condition', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), target, (when, given) => {
        const j = load(withCondition(when));
        if (j) judgeAnything(j, given, []);
      }),
      { numRuns: 500 },
    );
  });

  it('never lets a call pass that a rule without a condition denies', () => {
    const walls = POINTS.map((point) => ({ id: `wall-${point.replaceAll('_', '-')}`, at: point, verdict: 'deny' }));
    fc.assert(
      fc.property(expression, fc.constantFrom('allow', 'warn', 'deny', 'escalate'), target, (when, verdict, given) => {
        const rules = [{ id: 'r', at: [...POINTS], verdict, when: `point != "" && (${when})` }, ...walls];
        const j = load(
          JSON.stringify({ policy: 'tollgate/v1', name: 't', default: 'allow', lists: { staff: ['a'] }, rules }),
        );
        if (j)
          for (const point of POINTS)
            expect(j.evaluate(snapshot({ action: { point, target: given, parts: [] } })).decision).toBe('deny');
      }),
      { numRuns: 400 },
    );
  });

  it('makes the transforms of the seed land or denies, whatever the call holds', () => {
    const j = load(SEED) as Judge;
    expect(j.size).toBe(1);
    fc.assert(
      fc.property(target, fc.array(finding, { maxLength: 3 }), (given, findings) => judgeAnything(j, given, findings)),
      { numRuns: 500 },
    );
  });
});
