import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Json } from '../../../gateway/domain/json.ts';
import { compilePolicy } from '../../../gateway/policy/compile-policy.ts';
import type { Judge } from '../../../gateway/policy/judge.ts';
import { sha256, snapshot } from './_judging.ts';

type Bundle = Readonly<Record<string, Json>>;

const judgeOf = (bundles: readonly Bundle[]): Judge =>
  compilePolicy(
    bundles.map((bundle) => ({ path: `p/${bundle['name']}.yaml`, text: JSON.stringify(bundle) })),
    sha256,
  );

const rule = fc.record({
  verdict: fc.constantFrom('allow', 'warn', 'deny', 'escalate'),
  mode: fc.constantFrom('enforce', 'observe'),
  tools: fc.constantFrom<readonly string[]>(['bash'], ['ba*', 'x'], ['*sh'], ['other', 'read_*', '*_file'], ['*']),
  when: fc.constantFrom(undefined, 'args.x == 1', 'args.y.startsWith("a")'),
  labels: fc.constantFrom(undefined, ['seen']),
  message: fc.constantFrom(undefined, 'said'),
});

const bundle = (name: string) =>
  fc
    .record({
      default: fc.constantFrom('allow', 'deny'),
      tenants: fc.constantFrom(undefined, ['default'], ['elsewhere']),
      rules: fc.array(rule, { maxLength: 3 }),
    })
    .map(({ rules, ...rest }) => ({
      policy: 'tollgate/v1',
      name,
      ...rest,
      rules: rules.map((r, i) => ({ id: `r${i}`, at: 'pre_tool_call', ...r })),
    }));

/** Matches every call and changes no verdict: with it, no rule ever matches alone. */
const WITNESS: Bundle = {
  policy: 'tollgate/v1',
  name: 'zz',
  default: 'allow',
  rules: [{ id: 'witness', at: 'pre_tool_call', mode: 'observe', verdict: 'warn' }],
};

describe('a verdict that many calls share', () => {
  it('is the one that would have been concluded for each', () => {
    fc.assert(
      fc.property(
        bundle('org').map(({ tenants: _, ...b }) => b),
        bundle('team').map((b) => ({ ...b, parent: 'org' })),
        fc.array(
          fc.record({ tool: fc.constantFrom('bash', 'read_x', 'zsh', 'a_file'), x: fc.constantFrom<Json>(1, 2, 'a') }),
          {
            minLength: 1,
            maxLength: 6,
          },
        ),
        (org, team, calls) => {
          const bundles = JSON.parse(JSON.stringify([org, team])) as Bundle[];
          const [alone, watched] = [judgeOf(bundles), judgeOf([...bundles, WITNESS])];
          for (const { tool, x } of calls) {
            const call = snapshot({ action: { tool: { name: tool }, target: { x, y: x }, parts: [] } });
            const { hits, ...verdict } = watched.evaluate(call);
            expect(alone.evaluate(call)).toEqual({ ...verdict, hits: hits.filter((h) => h.rule !== 'zz/witness') });
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  it('can not be changed by who got it', () => {
    const judge = judgeOf([
      {
        policy: 'tollgate/v1',
        name: 't',
        default: 'allow',
        rules: [{ id: 'r', at: 'pre_tool_call', verdict: 'deny' }],
      },
    ]);
    const verdict = judge.evaluate(snapshot({}));
    expect(verdict.decision).toBe('deny');
    expect(judge.evaluate(snapshot({}))).toBe(verdict);
    expect(() => Object.assign(verdict, { decision: 'allow' })).toThrow(TypeError);
    expect(() => (verdict.hits as unknown[]).pop()).toThrow(TypeError);
  });
});
