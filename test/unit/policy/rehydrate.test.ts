import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TOKEN_LOOKALIKE } from '../../../gateway/domain/finding.ts';
import type { Json } from '../../../gateway/domain/json.ts';
import { applyEdits } from '../../../gateway/policy/apply-edits.ts';
import type { Judge } from '../../../gateway/policy/judge.ts';
import { masked } from '../../../gateway/policy/masked.ts';
import { runCases } from '../../../gateway/policy/run-cases.ts';
import { bundles, judge, mistakes, parts, rule, snapshot } from './_judging.ts';

const HEAD =
  'policy: tollgate/v1\nname: t\ndefault: allow\ntools:\n  send_email: { effect: egress, clearance: confidential }\n  vault: { effect: write, clearance: secret }\n';
const PUT_BACK = rule(
  'put-back',
  'tools: [send_email, vault, post], verdict: transform, transform: [{ rehydrate: [pii.email, secret.*] }], labels: [used]',
);
const VALUES: Readonly<Record<string, { kind: string; value: string }>> = {
  '<EMAIL_1>': { kind: 'pii.email', value: 'anna@example.com' },
  '<EMAIL_2>': { kind: 'pii.email', value: 'eve@evil.example' },
  '<PHONE_1>': { kind: 'pii.phone', value: '+49 30 1234567' },
  '<JWT_1>': { kind: 'secret.jwt', value: 'ey.ey.ey' },
};

function evaluate(j: Judge, target: Json, name = 'send_email', values = VALUES, more: object = {}) {
  const list = parts(target);
  const tokens = list.flatMap(({ at, text }) =>
    [...text.matchAll(TOKEN_LOOKALIKE)].map((m) => ({
      token: m[0],
      word: m[1] as string,
      at,
      start: m.index,
      end: m.index + m[0].length,
      ...values[m[0]],
    })),
  );
  return j.evaluate(snapshot({ action: { target, parts: list, tool: { name } }, tokens, ...more }));
}
const carried = (j: Judge, target: Json, name?: string): Json | string => {
  const { decision, edits, message } = evaluate(j, target, name);
  return decision === 'deny' ? String(message) : applyEdits(target, edits);
};

describe('values are put back', () => {
  const j = judge(PUT_BACK, HEAD);

  it('in the arguments of a tool the rule names and the policy clears; others keep their tokens', () => {
    const args = { to: '<EMAIL_1>', cc: ['x', 'a <EMAIL_2>, <EMAIL_1>!'], call: '<PHONE_1>' };
    expect(carried(j, args)).toEqual({
      to: 'anna@example.com',
      cc: ['x', 'a eve@evil.example, anna@example.com!'],
      call: '<PHONE_1>',
    });
    expect(evaluate(j, args)).toMatchObject({ decision: 'transform', rule: 't/put-back', labels: ['used'] });
    expect(carried(j, args, 'other')).toEqual(args);
    expect(carried(j, { to: 'none' })).toEqual({ to: 'none' });
  });

  it('not to a tool that is not cleared for them', () => {
    expect(carried(j, { to: '<EMAIL_1>' }, 'post')).toContain(
      '`<EMAIL_1>` may go only to a tool that `tools` describes with `clearance: confidential` or higher',
    );
    expect(carried(j, { key: '<JWT_1>' })).toContain('`clearance: secret`');
    expect(carried(j, { key: '<JWT_1>' }, 'vault')).toEqual({ key: 'ey.ey.ey' });
  });

  it('and what looks like such a token but stands for nothing in this run is refused; another word is left alone', () => {
    const verdict = evaluate(j, { to: '<EMAIL_9>' });
    expect(verdict).toMatchObject({ decision: 'deny', reason: 'runtime_error:transform_failed', rule: 't/put-back' });
    expect(verdict.message).toContain('`<EMAIL_9>` stands for nothing that this gate knows in this run');
    expect(verdict.hits).toMatchObject([{ rule: 't/put-back', error: 'runtime_error:transform_failed' }]);
    expect(carried(j, { to: '<FOO_9>' })).toEqual({ to: '<FOO_9>' });
  });

  it('only where `in` says', () => {
    const to = judge(
      rule('r', 'tools: send_email, verdict: transform, transform: [{ rehydrate: pii.email, in: /to }]'),
      HEAD,
    );
    expect(carried(to, { to: ['<EMAIL_1>'], body: 'dear <EMAIL_1>' })).toEqual({
      to: ['anna@example.com'],
      body: 'dear <EMAIL_1>',
    });
  });

  it('in no part that must not change', () => {
    const target = { to: '<EMAIL_1>' };
    const frozen = [{ at: '/to', text: '<EMAIL_1>', frozen: 'signed' }];
    const tokens = [{ token: '<EMAIL_1>', word: 'EMAIL', at: '/to', start: 0, end: 9, ...VALUES['<EMAIL_1>'] }];
    const verdict = j.evaluate(snapshot({ action: { target, parts: frozen, tool: { name: 'send_email' } }, tokens }));
    expect(verdict).toMatchObject({ decision: 'deny', reason: 'runtime_error:transform_failed' });
  });

  it('and every other rule sees them: conditions, detectors, further transforms', () => {
    const inside = rule('inside', `tools: send_email, unless: 'args.to.endsWith("@example.com")', verdict: deny`);
    expect(evaluate(judge(PUT_BACK + inside, HEAD), { to: '<EMAIL_2>' })).toMatchObject({
      decision: 'deny',
      rule: 't/inside',
    });
    expect(carried(judge(PUT_BACK + inside, HEAD), { to: '<EMAIL_1>' })).toEqual({ to: 'anna@example.com' });
    const none = rule('none', 'detect: pii.email, verdict: deny');
    expect(evaluate(judge(PUT_BACK + none, HEAD), { to: '<EMAIL_1>' })).toMatchObject({
      decision: 'deny',
      rule: 't/none',
    });
    const cut = rule('cut', 'verdict: transform, transform: [{ truncate: /to, to: 4 }]');
    expect(carried(judge(PUT_BACK + cut, HEAD), { to: '<EMAIL_1>' })).toEqual({ to: 'anna' });
    const again = rule('again', 'verdict: transform, transform: [{ redact: pii.email }]');
    expect(carried(judge(PUT_BACK + again, HEAD), { to: 'x <EMAIL_1>' })).toEqual({ to: 'x <EMAIL_1>' });
  });

  it('findings beside them are where they were', () => {
    const hide = rule('hide', 'verdict: transform, transform: [{ redact: pii.phone, as: drop }]');
    const text = '030 <EMAIL_1> 040 <EMAIL_2> 050';
    const findings = [0, 14, 28].map((start) => ({
      kind: 'pii.phone',
      at: '/to',
      start,
      end: start + 3,
      confidence: 1,
      status: 'found' as const,
    }));
    const { edits } = evaluate(judge(PUT_BACK + hide, HEAD), { to: text }, 'send_email', VALUES, { findings });
    expect(applyEdits({ to: text }, edits)).toEqual({ to: ' anna@example.com  eve@evil.example ' });
  });

  it('by an enforced rule that matches only', () => {
    const args = { to: '<EMAIL_1>' };
    const observed = judge(PUT_BACK.replace('verdict:', 'mode: observe, verdict:'), HEAD);
    expect(carried(observed, args)).toEqual(args);
    expect(carried(judge(PUT_BACK.replace('verdict:', 'when: size(args) == 2, verdict:'), HEAD), args)).toEqual(args);
    const picky = judge(PUT_BACK.replace('verdict:', `when: 'args.to.startsWith("<")', verdict:`), HEAD);
    expect(evaluate(picky, args)).toMatchObject({ decision: 'transform', hits: [{ rule: 't/put-back' }] });
    expect([j.keeps('pii.email'), j.keeps('secret.x'), j.keeps('pii.phone')]).toEqual([true, true, false]);
  });

  it('whatever the arguments: the same as replacing each token, nothing else touched', () => {
    const piece = fc.oneof(fc.constantFrom(...Object.keys(VALUES), '<', '>', '<EMAIL_', 'é🙂'), fc.string());
    const text = fc.array(piece, { maxLength: 6 }).map((p) => p.join(''));
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom('a', 'b', 'c d'), text), (args) => {
        const want = JSON.parse(
          JSON.stringify(args, (_, v: unknown) =>
            typeof v === 'string' ? v.replaceAll(/<(EMAIL|JWT)_[12]>/g, (t) => VALUES[t]?.value ?? t) : v,
          ),
        ) as Json;
        if (/<(EMAIL|JWT|AWS_ACCESS_KEY)_(?!1>|2>)\d+>|<JWT_2>/.test(JSON.stringify(args))) return;
        expect(carried(j, args, 'vault')).toEqual(want);
      }),
    );
  });
});

describe('a rule that puts values back is refused', () => {
  const text = (fields: string): string =>
    `policy: tollgate/v1\nname: t\ndefault: allow\nrules:\n  - { id: r, verdict: transform, ${fields} }\n`;
  it.each([
    [
      'at: post_tool_call, tools: x, transform: [{ rehydrate: pii.email }]',
      '`rehydrate` works at `pre_tool_call` only',
    ],
    ['at: pre_tool_call, transform: [{ rehydrate: pii.email }]', '`rehydrate` needs `tools`'],
    ['at: pre_tool_call, tools: "*", transform: [{ rehydrate: pii.email }]', '`rehydrate` needs `tools`'],
    ['at: pre_tool_call, tools: x, transform: [{ rehydrate: pii.emial }]', 'did you mean `pii.email`?'],
    [
      'at: pre_tool_call, tools: x, transform: [{ redact: pii.email, keep: domain }]',
      '`keep` needs `as: mask`, not `as: token`',
    ],
    [
      'at: pre_tool_call, tools: x, transform: [{ redact: pii.email, as: mask, keep: {} }]',
      'must name `first` or `last`',
    ],
  ])('%s', (fields, message) => {
    expect(mistakes(text(fields)).join()).toContain(message);
  });

  it('below a parent', () => {
    const org = 'policy: tollgate/v1\nname: org\ndefault: allow\nrules: []\n';
    const tenant = text('at: pre_tool_call, tools: x, transform: [{ rehydrate: pii.email }]').replace(
      'name: t',
      'name: t\nparent: org',
    );
    expect(() => bundles({ org, t: tenant })).toThrow(/`rehydrate` belongs to the parent/);
  });
});

describe('a mask that keeps the format', () => {
  it.each<[string, Parameters<typeof masked>[1], string]>([
    ['4111 1111-1111 1234', { last: 4 }, '**** ****-**** 1234'],
    ['DE89 3704 0044 0532 0130 00', { first: 4, last: 2 }, 'DE89 **** **** **** **** 00'],
    ['123456', { last: 4 }, '***456'],
    ['1234', { first: 4, last: 4 }, '**34'],
    ['7', { last: 4 }, '*'],
    ['anna.berg+x@mail.example.com', 'domain', '****.****+*@mail.example.com'],
    ['no address', 'domain', '** *******'],
    ['Zoë 🙂 李', { first: 1 }, 'Z** 🙂 *'],
  ])('%s', (value, keep, want) => {
    expect(masked(value, keep)).toBe(want);
  });

  it('masks at least half, keeps every length, and masking again changes nothing', () => {
    const keep = fc.oneof(fc.constant('domain' as const), fc.record({ first: fc.nat(6), last: fc.nat(6) }));
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), keep, (value, how) => {
        const once = masked(value, how);
        expect([...once]).toHaveLength([...value].length);
        expect(masked(once, how)).toBe(once);
        const hidden = how === 'domain' && value.includes('@') ? value.slice(0, value.lastIndexOf('@')) : value;
        const signs = [...hidden.matchAll(/[\p{L}\p{N}]/gu)].length;
        const left = [...once.slice(0, hidden.length).matchAll(/[\p{L}\p{N}]/gu)].length;
        if (how === 'domain') expect(left).toBe(0);
        else expect(left).toBeLessThanOrEqual(Math.ceil(([...hidden].filter((s) => s === '*').length + signs) / 2));
      }),
    );
  });

  it('in a rule', () => {
    const j = judge(
      rule(
        'r',
        'verdict: transform, transform: [{ redact: pii.email, as: mask, keep: domain }, { redact: pii.phone, as: mask, keep: { last: 2 } }]',
      ),
    );
    const target = { to: 'a.b@x.example, 030 123' };
    const found = (kind: string, start: number, end: number) => ({
      kind,
      at: '/to',
      start,
      end,
      confidence: 1,
      status: 'found' as const,
    });
    const { edits } = j.evaluate(
      snapshot({
        action: { target, parts: parts(target) },
        findings: [found('pii.email', 0, 13), found('pii.phone', 15, 22)],
      }),
    );
    expect(applyEdits(target, edits)).toEqual({ to: '*.*@x.example, *** *23' });
  });
});

describe('cases', () => {
  it('say what tokens stand for, when a tool was called last, and what is known of the tool', () => {
    const text = `bundle: t
cases:
  - name: the address comes back
    at: pre_tool_call
    tool: send_email
    args: { to: <EMAIL_1> }
    tokens: { <EMAIL_1>: { kind: pii.email, value: anna@example.com } }
    expect: { decision: transform, rule: put-back, target: { to: anna@example.com } }
  - name: a token of another run
    at: pre_tool_call
    tool: send_email
    args: { to: <EMAIL_1> }
    expect: { decision: deny, reason: 'runtime_error:transform_failed', target: { to: <EMAIL_1> } }
  - name: too soon, for a tool somebody approved
    at: pre_tool_call
    tool: { name: pay, pinned: true, price_usd: 0.5 }
    facts: { run: { last: { pay: 30 } } }
    expect: { decision: deny, rule: slow }
`;
    const slow = rule(
      'slow',
      `tools: pay, when: 'run.last("pay") == 30.0 && tool.pinned && tool.price_usd == 0.5', verdict: deny`,
    );
    const report = runCases(judge(PUT_BACK + slow, HEAD), { path: 'p/t/cases.yaml', text });
    expect(report.problems).toEqual([]);
    expect(report.results.flatMap((r) => r.failures)).toEqual([]);
    expect(report.results).toHaveLength(3);
  });
});
