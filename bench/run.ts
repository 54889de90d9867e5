// What a gate costs, measured in one run: `npm run bench [-- --quick] [-- --rate 500] [-- --profile <folder>]`. See README.md.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { install } from './install.ts';
import { mustBeRecorded } from './must-be-recorded.ts';
import { paced } from './paced.ts';
import { type Server, Servers } from './processes.ts';
import { quantile } from './quantile.ts';
import { saturate } from './saturate.ts';
import { calls } from './traffic.ts';

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    rate: { type: 'string', default: '1000' },
    state: { type: 'string', default: tmpdir() },
    profile: { type: 'string' },
  },
});

interface Plan {
  readonly rounds: number;
  readonly warmUp: number;
  readonly saturated: number;
  readonly paced: number;
  readonly streamed: number;
}

const plan: Plan = options.quick
  ? { rounds: 2, warmUp: 2, saturated: 1, paced: 0.5, streamed: 0.5 }
  : { rounds: 4, warmUp: 7, saturated: 2, paced: 1.5, streamed: 1 };
const CONNECTIONS = 32;
const STREAMS_PER_S = 60;
const unary = calls(false);
const streams = calls(true);

type Name = 'direct' | 'bare' | 'durable' | 'tollgate';

interface Target {
  readonly name: Name;
  readonly url: string;
  readonly server: Server;
}

/** What one round says of one target; `cpu` in microseconds per call, times in milliseconds. */
interface Figures {
  readonly rps: number;
  readonly cpu: number;
  readonly pacedCpu: number;
  readonly p50: number;
  readonly p99: number;
  readonly ttfb50: number;
  readonly ttfb99: number;
  readonly streamCpu: number;
}

const sent = new Map<Name, number>();

/** CPU time of the target's process for each call of `work`; what it does after the last answer counts too. */
async function withCpu<T extends { readonly count: number }>(
  { name, server }: Target,
  work: () => Promise<T>,
): Promise<T & { cpu: number }> {
  const before = await server.cpu();
  const result = await work();
  await sleep(100);
  sent.set(name, (sent.get(name) ?? 0) + result.count);
  return { ...result, cpu: ((await server.cpu()) - before) / result.count };
}

async function round(target: Target): Promise<Figures> {
  const { url } = target;
  const full = await withCpu(target, () => saturate(url, unary, CONNECTIONS, plan.saturated));
  const even = await withCpu(target, () =>
    paced({ url, calls: unary, rate: Number(options.rate), seconds: plan.paced }),
  );
  const flow = await withCpu(target, () => paced({ url, calls: streams, rate: STREAMS_PER_S, seconds: plan.streamed }));
  return {
    rps: full.count / full.seconds,
    cpu: full.cpu,
    pacedCpu: even.cpu,
    p50: even.p50,
    p99: even.p99,
    ttfb50: flow.first50,
    ttfb99: flow.first99,
    streamCpu: flow.cpu,
  };
}

/** Each round asks every target in turn, so that whatever slows the machine for a while slows all of them. */
async function measure(targets: readonly Target[]): Promise<Map<Name, Figures[]>> {
  for (const target of targets) {
    await withCpu(target, () => saturate(target.url, unary, CONNECTIONS, plan.warmUp));
    await withCpu(target, () => paced({ url: target.url, calls: streams, rate: STREAMS_PER_S, seconds: 0.5 }));
  }
  const rounds = new Map<Name, Figures[]>(targets.map(({ name }) => [name, []]));
  for (let n = 0; n < plan.rounds; n += 1) {
    for (const target of targets) rounds.get(target.name)?.push(await round(target));
    process.stderr.write(`bench: round ${n + 1} of ${plan.rounds}\n`);
  }
  return rounds;
}

const fixed =
  (digits: number) =>
  (value: number): number =>
    Number(value.toFixed(digits));
const median = (values: readonly number[]): number => quantile(values, 0.5);

function report(rounds: ReadonlyMap<Name, readonly Figures[]>): void {
  const of = (name: Name): readonly Figures[] => rounds.get(name) ?? [];
  const middle = (name: Name, figure: keyof Figures): number => median(of(name).map((f) => f[figure]));
  const us = fixed(1);
  const ms = fixed(3);
  const row = (name: Name) => ({
    'calls/s': Math.round(middle(name, 'rps')),
    ...(name !== 'direct' && {
      'µs CPU/call': us(middle(name, 'cpu')),
      [`at ${options.rate}/s`]: us(middle(name, 'pacedCpu')),
    }),
    'p50 ms': ms(middle(name, 'p50')),
    'p99 ms': ms(middle(name, 'p99')),
    'first byte p50 ms': ms(middle(name, 'ttfb50')),
    'p99 ms ': ms(middle(name, 'ttfb99')),
    ...(name !== 'direct' && { 'µs CPU/stream': us(middle(name, 'streamCpu')) }),
  });
  console.table({ direct: row('direct'), bare: row('bare'), durable: row('durable'), tollgate: row('tollgate') });
  /** rounds compared one by one, then their median */
  const against = (other: Name, figure: keyof Figures, how: (ours: number, theirs: number) => number): number =>
    median(of('tollgate').map((f, i) => how(f[figure], of(other)[i]?.[figure] ?? Number.NaN)));
  const minus = (a: number, b: number): number => a - b;
  const over = (a: number, b: number): number => a / b;
  const ratio = fixed(2);
  console.log(
    JSON.stringify({
      added_p50_ms: ms(against('direct', 'p50', minus)),
      added_p99_ms: ms(against('direct', 'p99', minus)),
      cpu_ratio_vs_bare: ratio(against('bare', 'cpu', over)),
      rps_ratio_vs_bare: ratio(against('bare', 'rps', over)),
      ttfb_added_ms: ms(against('direct', 'ttfb50', minus)),
    }),
  );
}

async function main(): Promise<void> {
  install('autocannon');
  const folder = await mkdtemp(join(options.state, 'tollgate-bench-'));
  const servers = new Servers();
  try {
    const upstream = await servers.start('process-upstream.ts', []);
    const bare = await servers.start('process-bare.ts', [upstream.origin]);
    const durable = await servers.start('process-durable.ts', [upstream.origin, folder]);
    const gate = await servers.start('process-tollgate.ts', [upstream.origin, folder], options.profile);
    const path = '/v1/chat/completions';
    const rounds = await measure([
      { name: 'direct', url: upstream.origin + path, server: upstream },
      { name: 'bare', url: bare.origin + path, server: bare },
      { name: 'durable', url: durable.origin + path, server: durable },
      { name: 'tollgate', url: `${gate.origin}/openai${path}`, server: gate },
    ]);
    mustBeRecorded(await servers.stop(gate), sent.get('tollgate') ?? 0);
    report(rounds);
  } finally {
    await servers.stopAll();
    await rm(folder, { recursive: true, force: true });
  }
}
await main();
