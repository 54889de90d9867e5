// Times `evaluate` of the judge over policies of growing size, beside a rival: `npm run bench:judge [-- --soak <minutes>]`. See README.md.
// Last line: JSON {"p50_us", "p99_us", "others_p50_us", "others_p99_us", "load_ms", "p99_median_us", "rival", "soak"?}.
import { fork } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { CONTESTS, type ContestName, mustAgree } from './judge-rival.ts';
import type { Soak } from './judge-soak.ts';
import type { Times } from './process-judge.ts';

const { values: options } = parseArgs({ options: { soak: { type: 'string' } } });
const minutes = options.soak === undefined ? undefined : Number(options.soak);
if (minutes !== undefined && !(minutes > 0))
  throw new Error(`\`--soak ${options.soak}\` is no number of minutes; write for example \`--soak 10\``);

const SIZES = [10, 100, 1_000, 10_000];

/** Processes per measurement, of which the best counts; what takes seconds to load is measured once. */
const RUNS = 3;

/** One measurement in a process of its own. */
function measured<T = Times>(kind: string, what: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const child = fork(join(import.meta.dirname, 'process-judge.ts'), [kind, what], {
      execArgv: ['--disable-warning=ExperimentalWarning'],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    child.once('message', (figures) => resolve(figures as T));
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`the measurement \`${kind} ${what}\` ended with code ${code}`)));
  });
}

const round = (us: number): number => Math.round(us * 100) / 100;

const row = (times: Times) => ({
  'p50 µs': round(times.p50),
  'p99 µs': round(times.p99),
  'p99 µs, median round': round(times.p99_median),
  'mean µs': round(times.mean),
  'load ms': Math.round(times.load_ms),
});

const figures: Record<string, Record<string, unknown>> = {
  p50_us: {},
  p99_us: {},
  others_p50_us: {},
  others_p99_us: {},
  load_ms: {},
  p99_median_us: {},
  rival: {},
};

const note = (figure: string, name: string | number, value: unknown): void => {
  (figures[figure] as Record<string, unknown>)[name] = value;
};

const better = (a: Times | undefined, b: Times): Times => (a !== undefined && a.p99 <= b.p99 ? a : b);

async function bySize(): Promise<void> {
  const table: Record<string, unknown>[] = [];
  for (const [kind, title, prefix] of [
    ['applicable', 'applicable', ''],
    ['others', '100 applicable + others', 'others_'],
  ] as const) {
    for (const size of SIZES) {
      let times = await measured(kind, String(size));
      for (let run = 1; run < RUNS && size <= 1_000; run += 1)
        times = better(times, await measured(kind, String(size)));
      note(`${prefix}p50_us`, size, round(times.p50));
      note(`${prefix}p99_us`, size, round(times.p99));
      if (kind === 'applicable') note('p99_median_us', size, round(times.p99_median));
      else note('load_ms', size, Math.round(times.load_ms));
      table.push({ rules: title, n: size, ...row(times) });
    }
  }
  console.table(table);
}

/** Each side in a process of its own, in turn, the best of three runs of each; ratios are the rival's time over ours. */
async function besideRival(): Promise<void> {
  const table: Record<string, unknown>[] = [];
  for (const name of Object.keys(CONTESTS) as ContestName[]) {
    await mustAgree(name);
    let [ours, theirs]: (Times | undefined)[] = [];
    for (let run = 0; run < RUNS; run += 1) {
      ours = better(ours, await measured(name, 'tollgate'));
      theirs = better(theirs, await measured(name, 'rival'));
    }
    if (!ours || !theirs) throw new Error(`the contest \`${name}\` was not run`);
    const ratios = {
      p50: round(theirs.p50 / ours.p50),
      p99: round(theirs.p99 / ours.p99),
      mean: round(theirs.mean / ours.mean),
    };
    table.push({ '100 rules': name, side: 'tollgate', ...row(ours) });
    table.push({ '100 rules': name, side: '@microsoft/agent-governance-sdk', ...row(theirs) });
    note('rival', name, {
      p50_us: { tollgate: round(ours.p50), rival: round(theirs.p50) },
      p99_us: { tollgate: round(ours.p99), rival: round(theirs.p99) },
      times_faster: ratios,
    });
    console.log(`${name}: tollgate is ${ratios.p50} times as fast at the median, ${ratios.p99} times at p99`);
  }
  console.table(table);
}

async function soaked(minutes: number): Promise<void> {
  console.error(`bench: evaluating at full rate for ${minutes} minutes`);
  const soak = await measured<Soak>('soak', String(minutes));
  figures['soak'] = { ...soak };
  console.table(soak.gc);
  console.log(
    `${soak.evaluations} evaluations, ${soak.per_s}/s, ${soak.pauses_above_5_ms} pauses above 5 ms by the clock, ${soak.own_pauses_above_5_ms} by processor time`,
  );
  if (soak.own_pauses_above_5_ms > 0) process.exitCode = 1;
}

if (minutes !== undefined) await soaked(minutes);
await bySize();
await besideRival();
console.log(JSON.stringify(figures));
