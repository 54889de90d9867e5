import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Json } from '../../../gateway/domain/json.ts';
import { steadyArguments } from '../../../gateway/policy/steady-arguments.ts';
import { judge, rule } from './_judging.ts';

describe('volatile arguments', () => {
  it.each<[string, Json, string[], Json]>([
    ['go', { q: 1, id: 'a' }, ['/id'], { q: 1 }],
    ['go inside', { q: { id: 'a', text: 'b' } }, ['/q/id'], { q: { text: 'b' } }],
    [
      'go from each element',
      { list: [{ id: 1, a: 1 }, { id: 2 }, { b: 2 }] },
      ['/list/*/id'],
      { list: [{ a: 1 }, {}, { b: 2 }] },
    ],
    ['go as elements', { list: [1, 2, 3] }, ['/list/*'], { list: [] }],
    ['go one after the other', { id: 1, at: 2, q: 3 }, ['/id', '/at', '/id'], { q: 3 }],
    ['need not be there', { q: 1 }, ['/id', '/q/id', '/list/0'], { q: 1 }],
    ['are members only: a call without an object has none', 'raw', ['/id'], 'raw'],
  ])('%s', (_name, args, volatile, steady) => {
    expect(steadyArguments(args, volatile)).toEqual(steady);
  });

  it('change nothing else, and not the arguments themselves', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.jsonValue(), (others, id) => {
        const args = { ...others, id } as Json;
        const copy = structuredClone(args);
        const { id: _, ...rest } = args as Record<string, Json>;
        expect(steadyArguments(args, ['/id'])).toEqual(rest);
        expect(args).toEqual(copy);
      }),
    );
  });

  it('are named by the policy, one or several, for tools by pattern', () => {
    const head = 'policy: tollgate/v1\nname: t\ndefault: allow\n';
    const tools = 'tools:\n  search: { volatile: /id }\n  "get_*": { volatile: [/id, /at] }\n';
    const asked = judge(rule('r', 'verdict: warn'), `${head}${tools}`);
    const args = { q: 1, id: 2, at: 3 };
    expect(asked.steady('search', args)).toEqual({ q: 1, at: 3 });
    expect(asked.steady('get_mail', args)).toEqual({ q: 1 });
    expect(asked.steady('other', args)).toBe(args);
  });

  it('say whether a fact is asked for at all', () => {
    const reads = (condition: string) => judge(rule('r', `at: pre_model_call, ${condition}, verdict: warn`));
    expect(reads('when: run.steps > 3 && has(budget.run)').reads('run.steps')).toBe(true);
    expect(reads('unless: run.steps > 3').reads('run.steps')).toBe(true);
    expect(reads('when: run.retries > 3').reads('run.steps')).toBe(false);
  });
});
