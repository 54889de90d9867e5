import type { Json } from '../../../gateway/domain/json.ts';
import { readSource } from '../../../gateway/domain/source.ts';
import type { Judge } from '../../../gateway/policy/judge.ts';
import type { Target } from '../target.ts';
import { CALLS, judged, load, mustNotLoosen } from './judging.ts';

/** The same value with the members of every object in reverse order, as JSON, or undefined where JSON can't say it. */
function reversed(value: unknown): Json | undefined {
  if (Array.isArray(value)) {
    const items = value.map(reversed);
    return items.includes(undefined) ? undefined : (items as Json[]);
  }
  if (typeof value === 'number') return Number.isFinite(value) && !Object.is(value, -0) ? value : undefined;
  if (typeof value !== 'object' || value === null) return typeof value === 'bigint' ? undefined : (value as Json);
  const entries = Object.entries(value)
    .reverse()
    .map(([name, inner]) => [name, reversed(inner)] as const);
  return entries.some(([, inner]) => inner === undefined) ? undefined : (Object.fromEntries(entries) as Json);
}

/** Order of members, white space, comments and the kind of quotes mean nothing. */
function mustMeanTheSame(text: string, judge: Judge): void {
  const rewritten = reversed(readSource('p0/policy.yaml', text).value);
  const forms = [`# said again\n${text}`, ...(rewritten === undefined ? [] : [JSON.stringify(rewritten, null, 1)])];
  for (const form of forms) {
    const other = load([form]);
    if (!other) throw new Error('a policy that loads does not load in another form');
    for (const call of CALLS)
      if (JSON.stringify(judged(other, call)) !== JSON.stringify(judged(judge, call)))
        throw new Error(`another form of the policy gives another verdict at ${call.action.point}`);
  }
}

/** YAML of a policy. */
export const target: Target = {
  words: [
    '\n  - id: z\n',
    'verdict: deny',
    'verdict: allow',
    'default: deny',
    'mode: observe',
    'at: [input, output]',
    'when: ',
    'unless: ',
    '*',
    '"*__exec"',
    'detect: secrets',
    'expires: 2027-01-31',
    'labels: [a]',
    'halt: run',
    'transform: [{ redact: secret.*, as: token }]',
    '!!int ',
    '&a ',
    '*a',
    '<<: ',
    '|\n',
    '>-\n',
    '__proto__: ',
    '? ',
  ],
  most: 4_096,
  boundMs: 2_000,
  run(input) {
    const judge = load([input]);
    if (!judge) return undefined;
    mustNotLoosen(input, judge);
    mustMeanTheSame(input, judge);
    return undefined;
  },
};
