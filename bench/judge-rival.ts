import type { FlatRule, RichPolicy } from '@microsoft/agent-governance-sdk';
import type { Snapshot } from '../gateway/domain/snapshot.ts';
import { install } from './install.ts';
import { CALL, judgeOf } from './judge-policies.ts';

/** The same policy and the same calls, once for each side. `run(i)` answers call `i`; the answers must be the same. */
export interface Contest {
  readonly calls: number;
  readonly tollgate: () => (i: number) => string;
  readonly rival: () => Promise<(i: number) => string>;
}

const RULES = 100;
const AGENT = 'did:mesh:coder';

/** The shapes of its README: an action, an action with a condition, a wildcard that allows, one that denies; what nothing allows is denied. */
const FLAT: readonly FlatRule[] = Array.from({ length: RULES / 4 }, (_, i): FlatRule[] => [
  { action: `s${i}.data.read`, effect: 'allow' },
  { action: `s${i}.data.write`, effect: 'allow', conditions: { role: 'admin' } },
  { action: `s${i}.files.*`, effect: 'allow' },
  { action: `s${i}.admin.*`, effect: 'deny' },
]).flat();

/** Calls that its first rules answer, its middle ones, its last ones, and none. */
const ACTIONS = [0, 12, 24, 99].flatMap((i) => [
  { action: `s${i}.data.read`, context: { user: 'alice' } },
  { action: `s${i}.data.write`, context: { role: 'admin' } },
  { action: `s${i}.data.write`, context: { role: 'intern' } },
  { action: `s${i}.files.open`, context: {} },
  { action: `s${i}.admin.nuke`, context: {} },
]);

const flatRule = ({ action, effect, conditions }: FlatRule, i: number): string => {
  const when = Object.entries(conditions ?? {}).map(([name, value]) => `args.${name} == "${value}"`);
  const condition = when.length === 0 ? '' : `, when: '${when.join(' && ')}'`;
  return `  - { id: r${i}, at: pre_tool_call, tools: ["${action}"], verdict: ${effect}${condition} }\n`;
};

const flat: Contest = {
  calls: ACTIONS.length,
  tollgate: () => {
    const judge = judgeOf(FLAT.map(flatRule), 'deny');
    const snapshots = ACTIONS.map(
      ({ action, context }): Snapshot => ({
        ...CALL,
        action: { ...CALL.action, tool: { name: action }, target: context, parts: [] },
      }),
    );
    return (i) => judge.evaluate(snapshots[i] as Snapshot).decision;
  },
  rival: async () => {
    const { PolicyEngine } = await import('@microsoft/agent-governance-sdk');
    const engine = new PolicyEngine(FLAT);
    return (i) => {
      const { action, context } = ACTIONS[i] as (typeof ACTIONS)[number];
      return engine.evaluate(action, context);
    };
  },
};

/** Conditions both languages can say: theirs, ours. None holds, so both ask all of them. */
const BOTH: readonly ((i: number) => readonly [string, string])[] = [
  (i) => [
    `run.identical_calls >= ${5 + i} or run.cycle.repeats >= 3`,
    `run.identical_calls >= ${5 + i} || run.cycle.repeats >= 3`,
  ],
  (i) => [`model.name == 'gpt-x${i}'`, `model.name == "gpt-x${i}"`],
  (i) => [
    `agent.tier == 'trusted' and model.name in ['a-${i}', 'b-${i}', 'c-${i}']`,
    `agent.tier == "trusted" && model.name in ["a-${i}", "b-${i}", "c-${i}"]`,
  ],
  (i) => [`quote.max_usd > ${i + 1}`, `quote.max_usd > ${i + 1}.0`],
];

const PAIRS = Array.from({ length: RULES }, (_, i) => (BOTH[i % BOTH.length] as (typeof BOTH)[number])(i));

const conditions: Contest = {
  calls: 1,
  tollgate: () => {
    const judge = judgeOf(
      PAIRS.map(([, ours], i) => `  - { id: r${i}, at: pre_tool_call, verdict: deny, when: '${ours}' }\n`),
    );
    return () => judge.evaluate(CALL).decision;
  },
  rival: async () => {
    const { PolicyEngine } = await import('@microsoft/agent-governance-sdk');
    const engine = new PolicyEngine();
    const policy: RichPolicy = {
      apiVersion: 'governance.toolkit/v1',
      name: 'bench',
      scope: 'global',
      default_action: 'allow',
      rules: PAIRS.map(([theirs], i) => ({
        name: `r${i}`,
        condition: theirs,
        ruleAction: 'deny',
        priority: 0,
        enabled: true,
      })),
    };
    engine.loadPolicy(policy);
    const { run, agent, quote, action } = CALL;
    const context = { run, agent, quote, model: action.model };
    return () => engine.evaluatePolicy(AGENT, context).action;
  },
};

export const CONTESTS = { flat, conditions } as const;
export type ContestName = keyof typeof CONTESTS;

/** Both sides answer every call the same, or the comparison is none. */
export async function mustAgree(name: ContestName): Promise<void> {
  install('@microsoft/agent-governance-sdk');
  const { calls, tollgate, rival } = CONTESTS[name];
  const [ours, theirs] = [tollgate(), await rival()];
  for (let i = 0; i < calls; i += 1)
    if (ours(i) !== theirs(i))
      throw new Error(`call ${i} of the contest \`${name}\`: tollgate says ${ours(i)}, the rival says ${theirs(i)}`);
}
