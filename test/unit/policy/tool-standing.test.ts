import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Json } from '../../../gateway/domain/json.ts';
import { epochMs } from '../../../gateway/domain/scalars.ts';
import type { Snapshot } from '../../../gateway/domain/snapshot.ts';
import type { Judge, Prospect, ToolStanding } from '../../../gateway/policy/judge.ts';
import { bundles, failed, found, judge, rule, snapshot } from './_judging.ts';

const NOW = '2026-06-01T12:00:00Z';
const DENY_HEAD = 'policy: tollgate/v1\nname: t\ndefault: deny\n';

const prospect = (change: Partial<Prospect> = {}): Prospect => {
  const { agent, human, tenant, delegation } = snapshot();
  const now = epochMs(Date.parse(NOW));
  return {
    now,
    agent,
    human,
    tenant,
    delegation,
    tool: { name: 'bash', server: 'box', pinned: true },
    names: [],
    ...change,
  };
};

const standing = (rules: string, head?: string, change?: Partial<Prospect>): ToolStanding | undefined =>
  judge(rules, head).standing(prospect(change));

describe('a tool is hidden where no call of it could pass', () => {
  it.each([
    ['a rule without a condition', 'tools: [bash], verdict: deny, reason: no_bash', 't/r'],
    ['a rule about the server', 'servers: [box], verdict: deny', 't/r'],
    ['a rule about the caller', 'when: \'agent.tier == "gold"\', verdict: deny', 't/r'],
    ['a rule about the pin', 'unless: "!tool.pinned", verdict: deny', 't/r'],
    ['one side of `||` that is known', 'when: \'agent.tier == "gold" || args.x == 1\', verdict: deny', 't/r'],
    [
      'an `exists` that one known element decides',
      'when: \'human.groups.exists(g, g == "dev" || args.x == g)\', verdict: deny',
      't/r',
    ],
    ['an `unless` that cannot hold', 'unless: \'tool.server == "other" && args.x == 1\', verdict: deny', 't/r'],
  ])('%s', (_, more, id) => {
    expect(standing(rule('r', more))).toMatchObject({ by: 'denied', rule: id });
  });

  it('says what the rule says', () => {
    expect(standing(rule('r', 'verdict: deny, reason: closed, message: come back later'))).toEqual({
      by: 'denied',
      rule: 't/r',
      reason: 'closed',
      message: 'come back later',
    });
  });

  it('by a default that denies, where no rule could allow', () => {
    expect(standing(rule('r', 'tools: [other], verdict: allow'), DENY_HEAD)).toMatchObject({ reason: 'default_deny' });
    expect(
      standing(rule('r', 'when: \'agent.tier == "silver" && args.x == 1\', verdict: allow'), DENY_HEAD),
    ).toMatchObject({
      by: 'denied',
    });
  });

  it('by the default of a layer below, whose rules do not allow what the organisation allows', () => {
    const j = bundles({
      org: `policy: tollgate/v1\nname: org\ndefault: allow\nrules:\n${rule('a', 'verdict: allow')}`,
      team: `policy: tollgate/v1\nname: team\nparent: org\ndefault: deny\nrules:\n${rule('b', 'tools: [other], verdict: allow')}`,
    });
    expect(j.standing(prospect())).toMatchObject({ reason: 'default_deny' });
    expect(j.standing(prospect({ tool: { name: 'other' } }))).toBeUndefined();
  });
});

describe('a tool shows where a call of it might pass', () => {
  it.each([
    ['a rule about arguments', "when: 'args.x == 1', verdict: deny"],
    ['a rule about the run', 'when: run.steps >= 0, verdict: deny'],
    ['a count of calls in the run', 'when: \'run.calls("bash") >= 0\', verdict: deny'],
    ['whether a member of the arguments is there', 'when: "!has(args.x)", verdict: deny'],
    ['whether the run has a budget', 'when: "!has(budget.run)", verdict: deny'],
    ['whether the tool has a price', 'when: "!has(tool.price_usd)", verdict: deny'],
    ['whether the call has an amount', 'when: "!has(tool.amount)", verdict: deny'],
    ['a budget', 'when: budget.run.left_usd >= 0.0, verdict: deny'],
    ['the time of day', 'when: now.getHours() >= 0, verdict: deny'],
    ['the text of the call', 'when: \'text == ""\', verdict: deny'],
    ['the request', 'when: \'request.ip != "x"\', verdict: deny'],
    ['a finding', 'detect: [secrets], verdict: deny'],
    ['the absence of a finding', 'when: \'!found("secret.*")\', verdict: deny'],
    ['the number of findings', 'when: findings.size() == 0, verdict: deny'],
    ['a rule that only watches', 'mode: observe, verdict: deny'],
    ['a rule that has expired', 'expires: 2026-01-31, verdict: deny'],
    ['a rule about other callers', 'when: \'agent.tier == "silver"\', verdict: deny'],
    ['a rule about other groups', 'groups: [ops], verdict: deny'],
    ['a rule that asks somebody', 'verdict: escalate'],
    ['a rule that warns', 'verdict: warn'],
    ['what a list of unknown length holds', 'when: \'run.labels.all(l, l == "x")\', verdict: deny'],
  ])('%s', (_, more) => {
    expect(standing(rule('r', more))).toBeUndefined();
  });

  it('under a default that denies, where a rule might allow, or ask somebody', () => {
    for (const more of [
      "when: 'args.x == 1', verdict: allow",
      'detect: [secrets], verdict: allow',
      "when: 'args.x == 1', verdict: escalate",
    ])
      expect(standing(rule('r', more), DENY_HEAD)).toBeUndefined();
  });

  it('to a tenant the denying bundle is not about', () => {
    const j = bundles({
      org: 'policy: tollgate/v1\nname: org\ndefault: allow\nrules: []\n',
      globex: `policy: tollgate/v1\nname: globex\nparent: org\ntenants: [globex]\ndefault: deny\nrules:\n${rule('b', 'tools: [other], verdict: allow')}`,
    });
    expect(j.standing(prospect())).toBeUndefined();
    expect(j.standing(prospect({ tenant: { id: 'globex' } }))).toMatchObject({ reason: 'default_deny' });
  });
});

describe('`hide`', () => {
  const hide = (more: string): string =>
    rule('h', `at: pre_model_call, ${more} verdict: transform, transform: [{ hide: ["*__bash", "other*"] }]`);

  it('hides by any name the tool has', () => {
    expect(standing(hide(''))).toBeUndefined();
    expect(standing(hide(''), undefined, { names: ['box__bash'] })).toMatchObject({ by: 'hidden', rule: 't/h' });
    expect(standing(hide(''), undefined, { tool: { name: 'others' } })).toMatchObject({ by: 'hidden' });
  });

  it('only where its rule is certain to match', () => {
    const names = ['box__bash'];
    expect(standing(hide('when: \'agent.tier == "gold"\','), undefined, { names })).toMatchObject({ by: 'hidden' });
    expect(standing(hide('when: \'agent.tier == "silver"\','), undefined, { names })).toBeUndefined();
    expect(standing(hide('when: run.steps > 0,'), undefined, { names })).toBeUndefined();
    expect(standing(hide('models: ["gpt-*"],'), undefined, { names })).toBeUndefined();
  });
});

/** Conditions over what is known and what is not, in every way they can be put together. */
const atom = fc.constantFrom(
  'true',
  'false',
  'agent.tier == "gold"',
  'agent.name.startsWith("c")',
  'tool.pinned',
  'tool.server == "box"',
  'human.groups.exists(g, g == "dev")',
  'human.groups.all(g, g == args.x)',
  '"dev" in human.groups',
  'delegation.depth > 0',
  'args.x == 1',
  'args.x > 1',
  'has(args.x)',
  'has(args.deep.er)',
  'has(budget.run)',
  'has(tool.price_usd)',
  'has(tool.amount)',
  'tool.amount > 10.0',
  'budget.run.left_usd < 1.0',
  'run.steps > 3',
  'run.calls("bash") > 1',
  'run.labels.exists(l, l == "secret")',
  'run.labels.all(l, l == agent.tier)',
  'run.last("bash") < 5.0',
  'found("secret.*")',
  'findings.size() > 0',
  'text.contains("x")',
  'now.getHours() == 12',
  'quote.max_usd > 0.01',
  'request.path == "/"',
  '[1, 2].exists(n, n == 3 || args.x == n)',
  '(tool.pinned ? args.x == 1 : agent.verified)',
  'size(target) > 1',
);
const condition = fc.letrec<{ expr: string }>((tie) => ({
  expr: fc.oneof(
    { maxDepth: 3 },
    atom,
    fc.tuple(tie('expr'), tie('expr'), fc.constantFrom('&&', '||')).map(([a, b, op]) => `(${a} ${op} ${b})`),
    tie('expr').map((a) => `!(${a})`),
    fc.tuple(tie('expr'), tie('expr'), tie('expr')).map(([a, b, c]) => `((${a}) ? (${b}) : (${c}))`),
  ),
})).expr;

const oneRule = fc
  .record({
    when: fc.option(condition),
    unless: fc.option(condition),
    verdict: fc.constantFrom('deny', 'deny', 'allow', 'allow', 'warn', 'escalate'),
    select: fc.constantFrom(
      '',
      'tools: [bash], ',
      'tools: ["*sh"], ',
      'servers: [box], ',
      'agents: [other], ',
      'groups: [dev], ',
      'tiers: [gold], ',
    ),
    detect: fc.boolean(),
    mode: fc.constantFrom('', '', '', 'mode: observe, '),
    expires: fc.constantFrom('', '', 'expires: 2026-01-31, ', 'expires: 2027-01-31, '),
  })
  .map(({ when, unless, verdict, select, detect, mode, expires }) => {
    const looks = detect && !/found|findings/.test(`${when} ${unless}`) ? 'detect: [secrets], ' : '';
    const cond = (field: string, text: string | null): string =>
      text === null ? '' : `${field}: ${JSON.stringify(text)}, `;
    return `${select}${mode}${expires}${looks}${cond('when', when)}${cond('unless', unless)}verdict: ${verdict}`;
  });

const policies = fc.record({
  rules: fc.array(oneRule, { minLength: 1, maxLength: 5 }),
  fallback: fc.constantFrom('allow', 'deny'),
});

const call = fc.record({
  args: fc.oneof(
    fc.constant<Json>({}),
    fc.constantFrom<Json>({ x: 1 }, { x: 2 }, { x: 'dev' }, { x: 'x', amount: 11 }, { deep: { er: 1 } }, { amount: 3 }),
    fc.jsonValue() as fc.Arbitrary<Json>,
  ),
  labels: fc.subarray(['secret', 'gold']),
  steps: fc.integer({ min: 0, max: 9 }),
  calls: fc.integer({ min: 0, max: 3 }),
  budget: fc.boolean(),
  price: fc.boolean(),
  finding: fc.constantFrom('none', 'found', 'unknown'),
  path: fc.constantFrom('/', '/mcp'),
  max: fc.constantFrom(0, 1),
});

const FINDINGS = { none: [], found: [found('secret.jwt', '', 0, 1)], unknown: [failed('secret.jwt')] } as const;
const HEADS = {
  allow:
    'policy: tollgate/v1\nname: t\ndefault: allow\ntools: { bash: { effect: write, amount: { at: /amount, unit: EUR } } }\n',
  deny: 'policy: tollgate/v1\nname: t\ndefault: deny\ntools: { bash: { effect: write, amount: { at: /amount, unit: EUR } } }\n',
};

function snapshotOf(tool: Prospect['tool'], c: typeof call extends fc.Arbitrary<infer T> ? T : never): Snapshot {
  const budget = {
    limit_usd: 2,
    spent_usd: 1,
    held_usd: 0,
    left_usd: c.max === 0 ? 0.5 : 5,
    resets_in_s: 60,
    window: 'total' as const,
  };
  return snapshot({
    now: NOW,
    action: { target: c.args, plane: 'mcp', tool: { ...tool, ...(c.price && { priceUsd: 0.1 }) } },
    run: { labels: c.labels, steps: c.steps, calls: new Map([['bash', c.calls]]), last_at: new Map() },
    budget: c.budget ? { run: budget } : {},
    findings: FINDINGS[c.finding],
    request: { path: c.path },
    quote: { max_usd: c.max },
  });
}

describe('soundness', () => {
  it('what is hidden as denied is denied for every call, and the hiding is no rare event', () => {
    let hidden = 0;
    let shown = 0;
    fc.assert(
      fc.property(policies, fc.array(call, { minLength: 8, maxLength: 8 }), ({ rules, fallback }, calls) => {
        const text = rules.map((r, i) => rule(`r${i}`, r)).join('');
        const j: Judge = judge(text, HEADS[fallback as 'allow' | 'deny']);
        const who = prospect();
        const answer = j.standing(who);
        if (answer === undefined) {
          shown += 1;
          return;
        }
        hidden += 1;
        for (const c of calls) expect(j.evaluate(snapshotOf(who.tool, c)).decision).toBe('deny');
      }),
      { numRuns: 500 },
    );
    expect(Math.min(hidden, shown)).toBeGreaterThan(50);
  });

  it('a tool that shows under rules about what is known alone is one that can be called', () => {
    const known = fc.constantFrom(
      'agent.tier == "gold"',
      '!tool.pinned',
      'tool.server == "box"',
      '"ops" in human.groups',
      'true',
      'false',
    );
    const known2 = fc.tuple(known, known, fc.constantFrom('&&', '||')).map(([a, b, op]) => `${a} ${op} ${b}`);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(known2, fc.constantFrom('deny', 'allow')), { minLength: 1, maxLength: 4 }),
        fc.constantFrom('allow', 'deny'),
        (rules, fallback) => {
          const text = rules
            .map(([when, verdict], i) => rule(`r${i}`, `when: ${JSON.stringify(when)}, verdict: ${verdict}`))
            .join('');
          const j = judge(text, HEADS[fallback as 'allow' | 'deny']);
          const who = prospect();
          const { decision } = j.evaluate(snapshot({ action: { plane: 'mcp', tool: who.tool } }));
          expect(j.standing(who) === undefined).toBe(decision !== 'deny');
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('what a server admits of its tool', () => {
  const head =
    'policy: tollgate/v1\nname: t\ndefault: allow\ntools: { bash: { effect: read, trust: trusted }, pay: { effect: money, trust: internal } }\n';
  const rules =
    rule('w', 'when: \'tool.effect == "write"\', verdict: deny') +
    rule('u', 'when: \'tool.trust == "untrusted"\', verdict: deny');
  const claims = (writes: boolean, openWorld: boolean) => ({ writes, openWorld });

  it.each([
    [undefined, undefined],
    [claims(false, false), undefined],
    [claims(true, false), 't/w'],
    [claims(false, true), 't/u'],
  ])('tightens the facts of the policy: %o', (said, id) => {
    const tool = { name: 'bash', pinned: true, claims: said };
    const j = judge(rules, head);
    expect(j.standing(prospect({ tool }))?.rule).toBe(id);
    expect(j.evaluate(snapshot({ action: { tool } })).rule).toBe(id);
  });

  it('never makes them less strict', () => {
    const j = judge(rule('m', 'when: \'tool.effect != "money"\', verdict: deny'), head);
    for (const said of [claims(true, true), claims(true, false), claims(false, true)])
      expect(j.standing(prospect({ tool: { name: 'pay', claims: said } }))).toBeUndefined();
  });
});
