import { describe, expect, it } from 'vitest';
import type { Json } from '../../../gateway/domain/json.ts';
import { applyEdits } from '../../../gateway/policy/apply-edits.ts';
import { PolicyFault } from '../../../gateway/policy/policy-fault.ts';
import { bundles, found, snapshot } from './_judging.ts';

const TOP = 'policy: tollgate/v1\nname: org\n';
const CHILD = 'policy: tollgate/v1\nname: acme\nparent: org\ntenants: [acme]\n';
const rules = (...lines: string[]): string =>
  `rules:\n${lines.map((l) => `  - { at: pre_tool_call, ${l} }\n`).join('')}`;

const decide = (top: string, child: string, tenant: string): string => {
  const { decision, rule, reason } = bundles({ org: TOP + top, acme: CHILD + child }).evaluate(
    snapshot({ tenant: { id: tenant } }),
  );
  return [decision, rule ?? reason].filter((w) => w !== undefined).join(' ');
};

const refused = (texts: Readonly<Record<string, string>>): string[] => {
  try {
    bundles(texts);
  } catch (error) {
    if (error instanceof PolicyFault) return error.problems.map((p) => `${p.line}:${p.column} ${p.message}`);
    throw error;
  }
  throw new Error('the policy loaded');
};

const DENY = rules('id: d, verdict: deny');
const ALLOW = rules('id: a, verdict: allow');
const WARN = rules('id: w, verdict: warn');

describe('a bundle below another', () => {
  it.each<[string, string, string, string, string]>([
    ['denies its own tenant', `default: allow\n`, `default: allow\n${DENY}`, 'acme', 'deny acme/d'],
    ['is silent about other tenants', `default: allow\n`, `default: deny\n${DENY}`, 'globex', 'allow'],
    ['never lifts a deny of the parent', `default: allow\n${DENY}`, `default: allow\n${ALLOW}`, 'acme', 'deny org/d'],
    [
      'never lifts the default of the parent',
      `default: deny\n`,
      `default: allow\n${ALLOW}`,
      'acme',
      'deny default_deny',
    ],
    ['may deny what nobody allows', `default: allow\n`, `default: deny\n`, 'acme', 'deny default_deny'],
    ['lifts its own default only', `default: allow\n`, `default: deny\n${ALLOW}`, 'acme', 'allow acme/a'],
    ['is not lifted by the parent', `default: allow\n${ALLOW}`, `default: deny\n`, 'acme', 'deny default_deny'],
    ['adds to what the parent allows', `default: deny\n${ALLOW}`, `default: allow\n${WARN}`, 'acme', 'warn acme/w'],
  ])('%s', (_, top, child, tenant, expected) => {
    expect(decide(top, child, tenant)).toBe(expected);
  });

  it('does not hold the calls of other tenants', () => {
    const judge = bundles({ org: `${TOP}default: allow\n`, acme: `${CHILD}default: deny\n` });
    const relevance = (tenant: string): boolean =>
      judge.relevance({ point: 'pre_tool_call', agent: 'coder', tenant }).binding;
    expect([relevance('acme'), relevance('globex')]).toEqual([true, false]);
  });

  it('leaves the last word on changes to the parent, and the first on redaction', () => {
    const judge = bundles({
      org: `${TOP}default: allow\n${rules(
        'id: s, verdict: transform, transform: [{ set: /safe, to: true }, { redact: secret.*, as: drop }]',
      )}`,
      acme: `${CHILD}default: allow\n${rules(
        'id: r, verdict: transform, transform: [{ remove: /safe }, { redact: secret.*, as: mask }]',
      )}`,
    });
    const target: Json = { command: 'k=SECRET', safe: false };
    const findings = [found('secret.jwt', '/command', 2, 8)];
    const verdict = judge.evaluate(snapshot({ action: { target }, findings: findings as never }));
    expect(applyEdits(target, verdict.edits)).toEqual({ command: 'k=', safe: true });
  });

  it.each<[string, Record<string, string>, string]>([
    [
      'tenants without a parent',
      { a: 'policy: tollgate/v1\nname: a\ndefault: allow\ntenants: [x]\n' },
      '4:1 a bundle about some tenants needs a `parent`, the bundle it tightens; or give its rules `tenants`',
    ],
    [
      'a parent nobody wrote',
      { org: `${TOP}default: allow\n`, a: 'policy: tollgate/v1\nname: a\ndefault: allow\nparent: ogr\n' },
      '4:9 there is no bundle `ogr`; did you mean `org`?',
    ],
    [
      'a parent that is itself',
      { a: 'policy: tollgate/v1\nname: a\ndefault: allow\nparent: a\n' },
      '4:9 `a` stands below itself; give one of the bundles no `parent`',
    ],
    [
      'facts about tools',
      { org: `${TOP}default: allow\n`, acme: `${CHILD}default: allow\ntools: { send: { effect: read } }\n` },
      '6:1 a bundle with a `parent` can not say what tools are; describe them in the parent',
    ],
    [
      'new values',
      {
        org: `${TOP}default: allow\n`,
        acme: `${CHILD}default: allow\n${rules('id: s, verdict: transform, transform: [{ set: /a, to: 1 }]')}`,
      },
      '7:67 a bundle with a `parent` only takes away: `set` belongs to the parent; use `remove`, `redact`, `truncate`, `cap`, `allow_only` or `hide`',
    ],
  ])('may not have %s', (_, texts, expected) => {
    expect(refused(texts)).toEqual([expected]);
  });

  it('that has gone round in a circle does not load', () => {
    const circle = (name: string, parent: string): string =>
      `policy: tollgate/v1\nname: ${name}\ndefault: allow\nparent: ${parent}\n`;
    expect(refused({ a: circle('a', 'b'), b: circle('b', 'a') })).toHaveLength(2);
  });
});
