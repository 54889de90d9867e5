import { describe, expect, it } from 'vitest';
import { POINTS } from '../../../gateway/domain/action.ts';
import { DECISIONS, type Decision, severity } from '../../../gateway/domain/verdict.ts';
import { bundles, failed, found, judge, rule, snapshot } from './_judging.ts';

const TRANSFORM = 'transform: [{ set: /x, to: 1 }]';
const of = (verdict: Decision, more = ''): string =>
  `verdict: ${verdict}${verdict === 'transform' ? `, ${TRANSFORM}` : ''}${more && `, ${more}`}`;

describe('one rule', () => {
  it.each(DECISIONS.filter((d) => d !== 'escalate'))('%s that matches decides', (decision) => {
    const verdict = judge(rule('r', of(decision, 'reason: why, message: because, doc: "https://x.example/"'))).evaluate(
      snapshot(),
    );
    expect(verdict).toMatchObject({
      decision,
      rule: 't/r',
      reason: 'why',
      message: 'because',
      doc: 'https://x.example/',
    });
    expect(verdict.hits).toEqual([{ rule: 't/r', decision, reason: 'why', mode: 'enforce', error: undefined }]);
  });

  it('escalate denies, naming who would have to agree, until someone can be asked', () => {
    const verdict = judge(
      rule('r', 'verdict: escalate, message: big refund, approval: { approvers: ["group:finance"] }'),
    ).evaluate(snapshot());
    expect(verdict).toMatchObject({ decision: 'deny', rule: 't/r', reason: 'runtime_error:approval_resolver_missing' });
    expect(verdict.message).toMatch(/^big refund; this call needs approval by group:finance, /);
    expect(verdict.hits).toEqual([
      {
        rule: 't/r',
        decision: 'escalate',
        reason: undefined,
        mode: 'enforce',
        error: 'runtime_error:approval_resolver_missing',
      },
    ]);
  });

  it.each(DECISIONS)('%s that does not match leaves no trace', (decision) => {
    const verdict = judge(rule('r', of(decision, 'when: run.steps > 99'))).evaluate(snapshot());
    expect(verdict).toEqual({ decision: 'allow', hits: [], edits: [], labels: [] });
  });

  it('unless is the negation of when, and both must hold', () => {
    const decide = (fields: string): string =>
      judge(rule('r', `verdict: deny, ${fields}`)).evaluate(snapshot()).decision;
    expect(decide('unless: run.steps == 3')).toBe('allow');
    expect(decide('unless: run.steps == 4')).toBe('deny');
    expect(decide('when: run.steps == 3, unless: run.steps == 4')).toBe('deny');
    expect(decide('when: run.steps == 3, unless: run.steps == 3')).toBe('allow');
    expect(decide('when: run.steps == 4, unless: run.steps == 4')).toBe('allow');
    expect(decide('when: true')).toBe('deny');
    expect(decide('unless: true')).toBe('allow');
  });
});

describe('several rules', () => {
  const pairs = DECISIONS.flatMap((a) => DECISIONS.map((b): [Decision, Decision] => [a, b]));
  it.each(pairs)('%s and %s: the stricter decides, both are reported', (a, b) => {
    const verdict = judge(rule('a', of(a)) + rule('b', of(b))).evaluate(snapshot());
    const strictest = severity(b) > severity(a) ? b : a;
    expect(verdict.decision).toBe(strictest === 'escalate' ? 'deny' : strictest);
    expect(verdict.rule).toBe(severity(b) > severity(a) ? 't/b' : 't/a');
    expect(verdict.hits.map((h) => [h.rule, h.decision])).toEqual([
      ['t/a', a],
      ['t/b', b],
    ]);
    expect(verdict.edits.length).toBe(verdict.decision === 'transform' ? 1 : 0);
  });

  it('that are equally strict: the first in document order decides', () => {
    const verdict = judge(rule('b', 'verdict: deny, tools: bash') + rule('a', 'verdict: deny')).evaluate(snapshot());
    expect(verdict.rule).toBe('t/b');
    expect(verdict.hits.map((h) => h.rule)).toEqual(['t/b', 't/a']);
  });

  it('labels of all that match are collected once, halts of a denial by the widest', () => {
    const rules =
      rule('a', 'verdict: allow, labels: [x, y]') +
      rule('b', 'verdict: warn, labels: [y, z]') +
      rule('c', 'verdict: deny, halt: run') +
      rule('d', 'verdict: deny, halt: human');
    expect(judge(rules).evaluate(snapshot())).toMatchObject({ labels: ['x', 'y', 'z'], halt: 'human' });
    expect(judge(rule('b', 'verdict: warn, labels: [z]')).evaluate(snapshot()).halt).toBeUndefined();
  });
});

describe('modes and dates', () => {
  it('observe is reported and never enforced', () => {
    for (const decision of DECISIONS) {
      const verdict = judge(
        rule('r', of(decision, `mode: observe, labels: [l]${decision === 'deny' ? ', halt: run' : ''}`)),
      ).evaluate(snapshot());
      expect(verdict).toMatchObject({ decision: 'allow', edits: [], labels: [] });
      expect([verdict.rule, verdict.halt]).toEqual([undefined, undefined]);
      expect(verdict.hits).toMatchObject([{ rule: 't/r', decision, mode: 'observe' }]);
    }
  });

  it('a broken condition of a rule that only observes is reported and decides nothing', () => {
    const verdict = judge(rule('r', 'verdict: deny, mode: observe, when: args.gone')).evaluate(snapshot());
    expect(verdict.decision).toBe('allow');
    expect(verdict.hits).toMatchObject([{ mode: 'observe', error: 'runtime_error:condition_failed' }]);
  });

  it('a file that observes sets its rules; a rule may say otherwise', () => {
    const head = 'policy: tollgate/v1\nname: t\ndefault: deny\nmode: observe\n';
    const both = judge(rule('a', 'verdict: deny') + rule('b', 'verdict: warn, mode: enforce'), head);
    expect(both.evaluate(snapshot())).toMatchObject({ decision: 'warn', rule: 't/b' });
  });

  it('a rule is off once it has expired; a date means the end of that day', () => {
    const at = (expires: string, now: string): string =>
      judge(rule('r', `verdict: deny, expires: "${expires}"`)).evaluate(snapshot({ now })).decision;
    expect(at('2027-01-31', '2027-01-31T23:59:59.999Z')).toBe('deny');
    expect(at('2027-01-31', '2027-02-01T00:00:00Z')).toBe('allow');
    expect(at('2027-01-31T09:00:00Z', '2027-01-31T08:59:59Z')).toBe('deny');
    expect(at('2027-01-31T09:00:00Z', '2027-01-31T09:00:00Z')).toBe('allow');
  });
});

describe('silence', () => {
  const bundle = (word: string, rules = ''): string =>
    `policy: tollgate/v1\ndefault: ${word}\n${rules && `rules:\n${rules}`}`;
  it.each<[string, Record<string, string>, string, string | undefined]>([
    ['allows by default', { a: bundle('allow') }, 'allow', undefined],
    ['denies by default', { a: bundle('deny') }, 'deny', 'default_deny'],
    [
      'denies where any bundle says so',
      { a: bundle('allow'), b: bundle('deny'), c: bundle('allow') },
      'deny',
      'default_deny',
    ],
    ['is broken by a rule that allows', { a: bundle('deny', rule('r', 'verdict: allow')) }, 'allow', undefined],
    [
      'is broken by a rule of another bundle',
      { a: bundle('deny'), b: bundle('allow', rule('r', 'verdict: allow')) },
      'allow',
      undefined,
    ],
    ['is not broken by a warning', { a: bundle('deny', rule('r', 'verdict: warn')) }, 'deny', 'default_deny'],
    ['is not broken by a transform', { a: bundle('deny', rule('r', of('transform'))) }, 'deny', 'default_deny'],
    [
      'is not broken by a rule that observes',
      { a: bundle('deny', rule('r', 'verdict: allow, mode: observe')) },
      'deny',
      'default_deny',
    ],
    [
      'is not broken by a rule whose condition breaks',
      { a: bundle('deny', rule('r', 'verdict: allow, when: args.gone')) },
      'deny',
      'default_deny',
    ],
    [
      'does not outshout a rule that denies',
      { a: bundle('deny', rule('r', 'verdict: deny, reason: own')) },
      'deny',
      'own',
    ],
    [
      'allows a warning that a rule allows',
      { a: bundle('deny', rule('r', 'verdict: allow') + rule('s', 'verdict: warn, reason: hm')) },
      'warn',
      'hm',
    ],
  ])('%s', (_, texts, decision, reason) => {
    const verdict = bundles(texts).evaluate(snapshot());
    expect([verdict.decision, verdict.reason]).toEqual([decision, reason]);
  });

  it('bundles compose in name order, wherever they lie', () => {
    const verdict = bundles({
      zeta: bundle('allow', rule('r', 'verdict: deny')),
      alpha: bundle('allow', rule('r', 'verdict: deny')),
    }).evaluate(snapshot());
    expect(verdict.rule).toBe('alpha/r');
    expect(verdict.hits.map((h) => h.rule)).toEqual(['alpha/r', 'zeta/r']);
  });
});

describe('a condition that breaks', () => {
  const table: [Decision, string, string | undefined][] = [
    ['deny', 'deny', 'runtime_error:condition_failed'],
    ['escalate', 'deny', 'runtime_error:condition_failed'],
    ['transform', 'deny', 'runtime_error:condition_failed'],
    ['warn', 'warn', 'runtime_error:condition_failed'],
    ['allow', 'allow', undefined],
  ];
  for (const point of POINTS) {
    it.each(table)(`at ${point}: %s → %s`, (verdict, decision, reason) => {
      if (verdict === 'transform' && (point === 'agent_startup' || point === 'agent_shutdown'))
        return expect(point).toMatch(/^agent_/);
      const got = judge(rule('r', `at: ${point}, reason: own, when: target.gone == 1, ${of(verdict)}`)).evaluate(
        snapshot({ action: { point } }),
      );
      expect([got.decision, got.reason, got.rule]).toEqual([
        decision,
        reason,
        decision === 'allow' ? undefined : 't/r',
      ]);
      expect(got.hits).toMatchObject([{ decision: verdict, error: 'runtime_error:condition_failed' }]);
      expect(got.edits).toEqual([]);
      return undefined;
    });
  }

  it('an unless that breaks breaks the rule; an unless that holds settles it', () => {
    expect(judge(rule('r', 'verdict: deny, unless: args.gone')).evaluate(snapshot()).reason).toBe(
      'runtime_error:condition_failed',
    );
    expect(judge(rule('r', 'verdict: deny, when: args.gone, unless: true')).evaluate(snapshot()).decision).toBe(
      'allow',
    );
    expect(judge(rule('r', 'verdict: deny, when: false, unless: args.gone')).evaluate(snapshot()).decision).toBe(
      'allow',
    );
  });

  it('halts nothing and labels nothing', () => {
    const got = judge(rule('r', 'verdict: deny, halt: run, labels: [x], when: args.gone')).evaluate(snapshot());
    expect([got.halt, got.labels]).toEqual([undefined, []]);
  });

  it('says which rule, why and what follows, never what the call held', () => {
    const got = judge(rule('r', 'verdict: deny, when: args.secret.x')).evaluate(
      snapshot({ action: { target: { secret: 'hunter2' } } }),
    );
    expect(got.message).toBe(
      'the condition of `t/r` could not be answered (`.x` was asked of something that has no members), so the call is denied to be safe',
    );
  });
});

describe('detect', () => {
  const at = { action: { target: { a: 'xx' } } };
  const decide = (fields: string, findings: readonly ReturnType<typeof found>[]): string =>
    judge(rule('r', `verdict: deny, ${fields}`)).evaluate(snapshot({ ...at, findings })).decision;

  it('needs a finding of what is named: a family, a kind, a pattern', () => {
    const jwt = found('secret.jwt', '/a', 0, 1);
    const mail = found('pii.email', '/a', 0, 1);
    expect([
      decide('detect: secrets', []),
      decide('detect: secrets', [jwt]),
      decide('detect: secrets', [mail]),
    ]).toEqual(['allow', 'deny', 'allow']);
    expect([decide('detect: pii.email', [mail]), decide('detect: pii.phone', [mail])]).toEqual(['deny', 'allow']);
    expect([
      decide('detect: [secrets, pii.phone]', [jwt]),
      decide('detect: "pii.*"', [mail]),
      decide('detect: "secret.*"', [mail]),
    ]).toEqual(['deny', 'deny', 'allow']);
  });

  it('takes a failed detector for a finding, of its own family only', () => {
    expect(decide('detect: secrets', [failed('secrets')])).toBe('deny');
    expect(decide('detect: secrets', [failed('secret.unknown')])).toBe('deny');
    expect(decide('detect: secrets', [failed('pii')])).toBe('allow');
    expect(decide('detect: secrets', [failed('somebody')])).toBe('deny');
    expect(
      judge(rule('r', 'verdict: allow, detect: secrets'), 'policy: tollgate/v1\nname: t\ndefault: deny\n').evaluate(
        snapshot({ ...at, findings: [failed('secrets')] }),
      ).decision,
    ).toBe('deny');
  });

  it('is left to a condition that looks at findings itself', () => {
    expect(decide('detect: secrets, when: size(findings) == 0', [])).toBe('deny');
    expect(decide('when: found("secret.*")', [found('secret.jwt', '/a', 0, 1)])).toBe('deny');
    expect(decide('when: found("secret.*")', [failed('pii')])).toBe('deny');
  });

  it('and a condition must both hold', () => {
    expect(decide('detect: secrets, when: run.steps > 9', [found('secret.jwt', '/a', 0, 1)])).toBe('allow');
  });
});

describe('evaluate', () => {
  it('never throws: a snapshot that is no snapshot is denied', () => {
    const strict = judge(rule('r', 'verdict: deny, when: run.steps > 5'));
    for (const bad of [{}, null, undefined, { action: {} }, { action: { point: 'pre_tool_call' }, agent: {} }]) {
      expect(strict.evaluate(bad as never)).toMatchObject({
        decision: 'deny',
        reason: 'runtime_error:internal',
        edits: [],
      });
    }
  });

  it('gives the same verdict for the same snapshot, on a judge that has seen others', () => {
    const j = judge(
      rule('a', 'verdict: deny, when: "args.list.exists(x, x > 2)"') +
        rule('b', 'verdict: warn, when: text.contains("zz")'),
    );
    const [one, two] = [
      snapshot({ action: { target: { list: [1, 3], s: 'zz' } } }),
      snapshot({ action: { target: { list: [1], s: 'y' } } }),
    ];
    const first = JSON.stringify([j.evaluate(one), j.evaluate(two)]);
    for (let i = 0; i < 5; i += 1) expect(JSON.stringify([j.evaluate(one), j.evaluate(two)])).toBe(first);
  });
});

describe('relevance', () => {
  const select = (rules: string, more: object = {}, head?: string) =>
    judge(rules, head).relevance({ point: 'pre_tool_call', tool: 'bash', agent: 'coder', tenant: 'acme', ...more });

  it('says what the rules that could apply need', () => {
    expect(select(rule('r', 'verdict: deny, tools: other'))).toEqual({
      any: false,
      detectors: [],
      binding: false,
      redacts: false,
      rehydrates: false,
      whole: false,
    });
    expect(select(rule('r', 'verdict: warn, tools: bash'))).toMatchObject({ any: true, binding: false });
    expect(select(rule('r', 'verdict: allow, watch: whole'))).toMatchObject({ any: true, binding: false, whole: true });
    expect(select(rule('r', 'verdict: deny, mode: observe, detect: [pii.email, secrets]'))).toMatchObject({
      binding: false,
      detectors: ['pii', 'secrets'],
    });
    expect(select(rule('r', 'verdict: transform, transform: [{ redact: pii.email }]'))).toMatchObject({
      binding: true,
      redacts: true,
      detectors: ['pii'],
    });
    expect(select(rule('r', 'verdict: warn, when: found("secret.*")'))).toMatchObject({
      detectors: ['pii', 'secrets'],
    });
    expect(
      select(rule('r', 'verdict: warn, tools: other'), {}, 'policy: tollgate/v1\nname: t\ndefault: deny\n'),
    ).toMatchObject({ any: false, binding: true });
    for (const verdict of ['deny', 'escalate'] as const)
      expect(select(rule('r', `verdict: ${verdict}`)).binding).toBe(true);
  });
});
