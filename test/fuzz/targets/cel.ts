import { FUNCTIONS } from '../../../gateway/policy/condition/functions.ts';
import { NAMES } from '../../../gateway/policy/condition/names.ts';
import { snapshot } from '../../unit/policy/_judging.ts';
import type { Target } from '../target.ts';
import { CALLS, judged, load, WALL } from './judging.ts';

type Field = 'when' | 'unless';

const policy = (verdict: string, conditions: Readonly<Partial<Record<Field, string>>>[], silence = 'allow'): string =>
  JSON.stringify({
    policy: 'tollgate/v1',
    name: 't',
    default: silence,
    lists: { staff: ['a.example', 'b.example'] },
    rules: conditions.map((condition, i) => ({ id: `r${i}`, at: 'pre_tool_call', verdict, ...condition })),
  });

const HERE = CALLS.filter(({ action }) => action.point === 'pre_tool_call');

/** Large enough that a loop over a loop over it passes its bound. */
const LARGE = snapshot({
  action: {
    target: { list: Array.from({ length: 3_000 }, (_, i) => i), command: 'a'.repeat(50_000), items: [], paths: ['/x'] },
    parts: [{ at: '/command', text: 'a'.repeat(50_000) }],
  },
});

/** A condition. */
export const target: Target = {
  words: [
    ...NAMES.keys(),
    ...FUNCTIONS.map((f) => (f.form === 'method' ? `.${f.name}(` : `${f.name}(`)),
    ...[
      'args.x.y',
      'args.list',
      'args["paths"]',
      'lists.staff',
      'true',
      'false',
      'null',
      '1u',
      '-1',
      '2.5e3',
      '"a"',
      "r'\\d+'",
      'b"x"',
      '[1, 2]',
      '{"k": 1}',
    ],
    ...[
      ' && ',
      ' || ',
      ' == ',
      ' != ',
      ' < ',
      ' >= ',
      ' + ',
      ' - ',
      ' * ',
      ' / ',
      ' % ',
      ' in ',
      ' ? ',
      ' : ',
      '!',
      '(',
      ')',
      '.exists(x, ',
      '.all(x, ',
      '.map(x, ',
      '.filter(x, ',
      '.exists_one(x, ',
      'has(args.x)',
    ],
  ],
  most: 600,
  boundMs: 2_000,
  run(input) {
    const when = load([policy('deny', [{ when: input }])]);
    if (!when) return undefined;
    const either = load([policy('deny', [{ when: input }, { unless: input }])]);
    const spaced = load([policy('deny', [{ when: ` (\n${input}\n) ` }])]);
    const allowed = load([WALL, policy('allow', [{ when: input }])]);
    const opened = load([policy('allow', [{ when: input }], 'deny')]);
    if (!either || !spaced || !allowed || !opened) throw new Error('a condition loads in one place and not in another');
    for (const call of [...HERE, LARGE]) {
      const { decision, reason } = judged(when, call);
      // True, false or broken: one of the two rules denies in each case.
      if (judged(either, call).decision !== 'deny') throw new Error('neither the condition nor its opposite denies');
      if (judged(allowed, call).decision !== 'deny') throw new Error('a wall has a hole');
      const broken = reason?.startsWith('runtime_error:') === true;
      if (broken && judged(opened, call).decision !== 'deny') throw new Error('a broken condition allows');
      if (!broken && (judged(opened, call).decision === 'allow') !== (decision === 'deny'))
        throw new Error('the same condition answers one rule so and another otherwise');
      if (judged(spaced, call).decision !== decision) throw new Error('white space and brackets change the answer');
    }
    return undefined;
  },
};
