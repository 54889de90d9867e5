// Times `evaluate` of the judge over policies of growing size: `npm run bench:judge`, best of five rounds. Last line: JSON {"p50_us", "p99_us", …}.
import { createHash } from 'node:crypto';
import type { Snapshot } from '../gateway/domain/snapshot.ts';
import { compilePolicy } from '../gateway/policy/compile-policy.ts';
import type { Judge } from '../gateway/policy/judge.ts';

const SIZES = [10, 100, 1_000, 10_000];
const EVALUATIONS = 20_000;
const ROUNDS = 5;

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Conditions as people write them, none of which matches the call below. */
const CONDITIONS = [
  (i: number) => `args.command.matches("rm\\\\s+-rf\\\\s+/srv/${i}(\\\\s|$)")`,
  (i: number) => `run.identical_calls >= ${5 + (i % 7)} || run.cycle.repeats >= 3`,
  (i: number) => `budget.run.left_usd < 0.${1 + (i % 5)} * budget.run.limit_usd && model.name == "gpt-${i}"`,
  (i: number) =>
    `tool.effect == "egress" && "confidential" in run.labels && !args.command.endsWith("@" + lists.staff[${i % 2}])`,
  (i: number) => `args.paths.exists(p, p.startsWith("/etc/${i}")) || agent.tier == "sandbox-${i}"`,
];

const VERDICTS = ['deny', 'warn', 'escalate', 'deny'];

const bundle = (rules: readonly string[]): Judge =>
  compilePolicy(
    [
      {
        path: 'bench/policy.yaml',
        text: `policy: tollgate/v1\nname: bench\ndefault: allow\nlists: { staff: [a.example, b.example] }\nrules:\n${rules.join('')}`,
      },
    ],
    sha256,
  );

function rule(i: number, tools: string): string {
  const when = (CONDITIONS[i % CONDITIONS.length] as (i: number) => string)(i);
  return `  - id: r${i}\n    at: pre_tool_call\n${tools}    when: '${when}'\n    verdict: ${VERDICTS[i % VERDICTS.length]}\n`;
}

/** Every rule is asked on every call. */
const applicable = (n: number): Judge => bundle(Array.from({ length: n }, (_, i) => rule(i, '')));

/** A hundred rules are asked; `n` others are about other tools, by name or pattern. */
const others = (n: number): Judge =>
  bundle([
    ...Array.from({ length: 100 }, (_, i) => rule(i, '')),
    ...Array.from({ length: n }, (_, i) =>
      rule(100 + i, `    tools: ["${['tool_@', 'srv@__*', '*__act_@', 'a@_*_b'][i % 4]?.replace('@', String(i))}"]\n`),
    ),
  ]);

const snapshot: Snapshot = {
  now: Date.UTC(2026, 0, 5) as Snapshot['now'],
  action: {
    point: 'pre_tool_call',
    plane: 'llm',
    tool: { name: 'bash' },
    model: { provider: 'openai', name: 'gpt-5', stream: true, tools: ['bash'] },
    target: { command: 'ls -la /srv/projects && git status', paths: ['/srv/projects', '/tmp/a', '/home/me'] },
    parts: [{ at: '/command', text: 'ls -la /srv/projects && git status' }],
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

interface Times {
  readonly p50: number;
  readonly p99: number;
  readonly mean: number;
}

/**
 * Microseconds of single evaluations, the reading of the clock (about 0.1 µs) included. Several rounds, of which the one with the lowest
 * p99 counts: on a machine that other processes use, the others measure those.
 */
function time(judge: Judge, evaluations: number): Times {
  for (let i = 0; i < Math.min(evaluations, 20_000); i += 1) judge.evaluate(snapshot);
  let best: Times = { p50: Infinity, p99: Infinity, mean: Infinity };
  for (let r = 0; r < ROUNDS; r += 1) {
    const times = oneRound(judge, evaluations);
    if (times.p99 < best.p99) best = times;
  }
  return best;
}

function oneRound(judge: Judge, evaluations: number): Times {
  const samples = new Float64Array(evaluations);
  for (let s = 0; s < evaluations; s += 1) {
    const start = performance.now();
    judge.evaluate(snapshot);
    samples[s] = (performance.now() - start) * 1000;
  }
  samples.sort();
  const at = (q: number): number => samples[Math.min(samples.length - 1, Math.floor(samples.length * q))] as number;
  return { p50: at(0.5), p99: at(0.99), mean: samples.reduce((a, b) => a + b, 0) / samples.length };
}

const round = (us: number): number => Math.round(us * 100) / 100;

const table: Record<string, unknown>[] = [];
const figures: Record<string, Record<string, number>> = {
  p50_us: {},
  p99_us: {},
  others_p50_us: {},
  others_p99_us: {},
  load_ms: {},
};

for (const [kind, build, prefix] of [
  ['applicable', applicable, ''],
  ['100 applicable + others', others, 'others_'],
] as const) {
  for (const size of SIZES) {
    const start = performance.now();
    const judge = build(size);
    const load = performance.now() - start;
    const verdict = judge.evaluate(snapshot);
    if (verdict.decision !== 'allow')
      throw new Error(`the bench call must match no rule, but got ${verdict.rule}: ${verdict.message}`);
    const times = time(
      judge,
      kind === 'applicable' ? Math.max(2_000, Math.floor((EVALUATIONS * 100) / Math.max(100, size))) : EVALUATIONS,
    );
    (figures[`${prefix}p50_us`] as Record<string, number>)[size] = round(times.p50);
    (figures[`${prefix}p99_us`] as Record<string, number>)[size] = round(times.p99);
    if (prefix !== '') (figures['load_ms'] as Record<string, number>)[size] = Math.round(load);
    table.push({
      rules: kind,
      n: size,
      'p50 µs': round(times.p50),
      'p99 µs': round(times.p99),
      'mean µs': round(times.mean),
      'load ms': Math.round(load),
    });
  }
}

console.table(table);
console.log(JSON.stringify(figures));
