// Coverage-guided fuzzing: `npm run fuzz [-- --seconds 60] [--runs 1000] [--target policy|cel|body|detector] [--seed 1] [--input file]`. See README.md.
// Last line: JSON, one entry per target: {"runs", "edges", "kept", "finding"?}. Ends with 1 where something was found.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import type { Outcome } from './loop.ts';

const NAMES = ['policy', 'cel', 'body', 'detector', 'maze'] as const;
type Name = (typeof NAMES)[number];

/** What a thread is given. */
export interface Task {
  readonly name: Name;
  readonly seconds: number;
  /** at most so many */
  readonly runs: number;
  readonly seed: number;
  readonly blind: boolean;
  readonly input: string | undefined;
  /** runs so far, and the length in bytes of the input at hand */
  readonly progress: SharedArrayBuffer;
  readonly text: SharedArrayBuffer;
}

/** No input may take so much processor time, whatever it is: then it hangs. */
const HANG_MS = 20_000;

const processTime = (): number => process.cpuUsage().user / 1000;

const { values: options } = parseArgs({
  options: {
    target: { type: 'string' },
    seconds: { type: 'string', default: '60' },
    runs: { type: 'string' },
    seed: { type: 'string' },
    input: { type: 'string' },
    blind: { type: 'boolean', default: false },
    out: { type: 'string', default: join(tmpdir(), 'tollgate-fuzz') },
  },
});
if (options.target !== undefined && !NAMES.some((name) => name === options.target))
  throw new Error(`there is no target \`${options.target}\`; take one of ${NAMES.join(', ')}`);
const seconds = Number(options.seconds);
if (!(seconds > 0))
  throw new Error(`\`--seconds ${options.seconds}\` is no length of time; write for example \`--seconds 60\``);
const runs = options.runs === undefined ? Number.POSITIVE_INFINITY : Number(options.runs);
if (!(runs >= 1)) throw new Error(`\`--runs ${options.runs}\` is no count; write for example \`--runs 1000\``);
// The maze is there to show that the fuzzer finds what luck does not; nobody has to look for it again.
const chosen: readonly Name[] =
  options.target === undefined ? NAMES.filter((name) => name !== 'maze') : [options.target as Name];
const seed = options.seed === undefined ? Date.now() % 1_000_000 : Number(options.seed);
const input = options.input === undefined ? undefined : readFileSync(options.input, 'utf8');

function fuzzed(name: Name): Promise<Outcome> {
  const progress = new SharedArrayBuffer(8);
  const text = new SharedArrayBuffer(1 << 20);
  const task: Task = { name, seconds, runs, seed, blind: options.blind, input, progress, text };
  const worker = new Worker(new URL('./fuzz-process.ts', import.meta.url), { workerData: task });
  const counters = new Int32Array(progress);
  return new Promise((resolve, reject) => {
    let last = -1;
    let since = processTime();
    const watchdog = setInterval(() => {
      const runs = Atomics.load(counters, 0);
      if (runs !== last) [last, since] = [runs, processTime()];
      if (runs === 0 || processTime() - since < HANG_MS) return;
      const hanging = Buffer.from(text).toString('utf8', 0, Atomics.load(counters, 1));
      clearInterval(watchdog);
      void worker.terminate();
      resolve({ runs, edges: 0, kept: 0, finding: { message: `it hangs: ${HANG_MS} ms and no end`, input: hanging } });
    }, 500);
    worker.once('message', (outcome: Outcome) => {
      clearInterval(watchdog);
      resolve(outcome);
    });
    worker.once('error', (error) => {
      clearInterval(watchdog);
      reject(error);
    });
  });
}

const outcomes: Record<string, Outcome> = {};
for (const name of chosen) {
  const outcome = await fuzzed(name);
  outcomes[name] = outcome;
  const { runs, edges, kept, finding } = outcome;
  console.log(`${name}: ${runs} runs (seed ${seed}), ${edges} edges, ${kept} inputs kept`);
  if (finding === undefined) continue;
  process.exitCode = 1;
  mkdirSync(options.out, { recursive: true });
  const file = join(options.out, `${name}-${seed}.txt`);
  writeFileSync(file, finding.input);
  console.log(
    `${name}: ${finding.message}\n${name}: with ${JSON.stringify(finding.input)}\n${name}: again: npm run fuzz -- --target ${name} --input ${file}`,
  );
}
console.log(JSON.stringify(outcomes));
