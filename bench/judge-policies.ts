import { createHash } from 'node:crypto';
import { detectors } from '../gateway/detectors/_all.ts';
import type { Snapshot } from '../gateway/domain/snapshot.ts';
import { compilePolicy } from '../gateway/policy/compile-policy.ts';
import type { Judge } from '../gateway/policy/judge.ts';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Conditions as people write them, none of which matches `CALL`. */
const CONDITIONS = [
  (i: number) => `args.command.matches("rm\\\\s+-rf\\\\s+/srv/${i}(\\\\s|$)")`,
  (i: number) => `run.identical_calls >= ${5 + (i % 7)} || run.cycle.repeats >= 3`,
  (i: number) => `budget.run.left_usd < 0.${1 + (i % 5)} * budget.run.limit_usd && model.name == "gpt-${i}"`,
  (i: number) =>
    `tool.effect == "egress" && "confidential" in run.labels && !args.command.endsWith("@" + lists.staff[${i % 2}])`,
  (i: number) => `args.paths.exists(p, p.startsWith("/etc/${i}")) || agent.tier == "sandbox-${i}"`,
];

const VERDICTS = ['deny', 'warn', 'escalate', 'deny'];

/** A judge over rules written as YAML list items. */
export const judgeOf = (rules: readonly string[], silence: 'allow' | 'deny' = 'allow'): Judge =>
  compilePolicy(
    [
      {
        path: 'bench/policy.yaml',
        text: `policy: tollgate/v1\nname: bench\ndefault: ${silence}\nlists: { staff: [a.example, b.example] }\nrules:\n${rules.join('')}`,
      },
    ],
    sha256,
    detectors,
  );

function rule(i: number, tools: string): string {
  const when = (CONDITIONS[i % CONDITIONS.length] as (i: number) => string)(i);
  return `  - id: r${i}\n    at: pre_tool_call\n${tools}    when: '${when}'\n    verdict: ${VERDICTS[i % VERDICTS.length]}\n`;
}

const asked = (n: number): string[] => Array.from({ length: n }, (_, i) => rule(i, ''));

/** Every rule is asked on every call. */
export const applicable = (n: number): Judge => judgeOf(asked(n));

/** A hundred rules are asked; `n` others are about other tools, by name or pattern. */
export const others = (n: number): Judge =>
  judgeOf([
    ...asked(100),
    ...Array.from({ length: n }, (_, i) =>
      rule(100 + i, `    tools: ["${['tool_@', 'srv@__*', '*__act_@', 'a@_*_b'][i % 4]?.replace('@', String(i))}"]\n`),
    ),
  ]);

/** A hundred rules that are asked, and four that match what `CALLS` do: a warning, a denial, a redaction and a label. */
export const eventful = (): Judge =>
  judgeOf([
    ...asked(96),
    `  - { id: warned, at: pre_tool_call, when: 'args.command.startsWith("curl ")', verdict: warn, message: "looks outward" }\n`,
    `  - { id: denied, at: pre_tool_call, when: 'args.command.contains("mkfs")', verdict: deny, reason: destructive }\n`,
    `  - { id: hidden, at: pre_tool_call, detect: secrets, verdict: transform, transform: [{ redact: secret.*, as: token }] }\n`,
    `  - { id: marked, at: pre_tool_call, when: 'args.paths.exists(p, p.startsWith("/hr"))', verdict: allow, labels: [confidential] }\n`,
  ]);

const COMMAND = 'ls -la /srv/projects && git status';

/** A tool call that no rule of `applicable` matches. */
export const CALL: Snapshot = {
  now: Date.UTC(2026, 0, 5) as Snapshot['now'],
  action: {
    point: 'pre_tool_call',
    plane: 'llm',
    tool: { name: 'bash' },
    model: { provider: 'openai', name: 'gpt-5', stream: true, tools: ['bash'] },
    target: { command: COMMAND, paths: ['/srv/projects', '/tmp/a', '/home/me'] },
    parts: [{ at: '/command', text: COMMAND }],
  },
  request: { headers: {}, path: '/v1/chat/completions', ip: '127.0.0.1' },
  agent: { id: 'coder', name: 'coder', tier: 'trusted', verified: true },
  human: { id: 'mo', email: 'mo@example.com', groups: ['dev'], verified: true },
  tenant: { id: 'default' },
  delegation: { depth: 0, chain: [], scopes: [] },
  run: {
    id: 'run-1',
    steps: 12,
    spent_usd: 0.4,
    elapsed_s: 60,
    labels: ['internal'],
    tools: ['bash', 'read_file'],
    calls: new Map([['bash', 4]]),
    identical_calls: 1,
    cycle: { period: 0, repeats: 0 },
    velocity_usd_per_min: 0.1,
  },
  budget: { run: { limit_usd: 5, spent_usd: 0.4, held_usd: 0.1, left_usd: 4.5, resets_in_s: 0, window: 'total' } },
  quote: { max_usd: 0.05, expected_usd: 0.02, priced: true, bounded: true },
  usage: { input: 0, output: 0, cache_read: 0, cache_write: 0 },
  cost_usd: 0,
  findings: [],
};

const bash = (command: string, paths: readonly string[], findings: Snapshot['findings'] = []): Snapshot => ({
  ...CALL,
  action: { ...CALL.action, target: { command, paths }, parts: [{ at: '/command', text: command }] },
  findings,
});

/** Calls of which one passes in silence and each of the others meets one rule of `eventful`. */
export const CALLS: readonly Snapshot[] = [
  CALL,
  bash('curl https://docs.example/install', ['/tmp/a']),
  bash('mkfs.ext4 /dev/sda1', []),
  bash(
    'export TOKEN=abcdefgh',
    [],
    [{ kind: 'secret.anthropic_key', status: 'found', at: '/command', start: 13, end: 21, confidence: 1 }],
  ),
  bash('cat /hr/salaries.csv', ['/hr/salaries.csv']),
];
