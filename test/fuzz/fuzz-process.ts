// The thread that runs one target: coverage is counted here, and the input at hand lies in memory that the main thread can read.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { instrument } from './coverage.ts';
import { fuzz } from './loop.ts';
import type { Task } from './run.ts';
import type { Target } from './target.ts';

const { name, seconds, runs, seed, blind, input, progress, text } = workerData as Task;

instrument(name === 'maze' ? /\/targets\/maze\.ts$/ : /\/gateway\//);

const TARGETS: Readonly<Record<Task['name'], () => Promise<{ readonly target: Target }>>> = {
  policy: () => import('./targets/policy.ts'),
  cel: () => import('./targets/cel.ts'),
  body: () => import('./targets/body.ts'),
  detector: () => import('./targets/detector.ts'),
  maze: () => import('./targets/maze.ts'),
};

const runsSoFar = new Int32Array(progress);
const atHand = Buffer.from(text);

function seedsOf(folder: string): string[] {
  const files = readdirSync(folder).sort();
  return files.map((file) => readFileSync(join(folder, file), 'utf8'));
}

const { target } = await TARGETS[name]();
const outcome = fuzz(target, {
  seconds: input === undefined ? seconds : 0,
  runs,
  seed,
  blind,
  seeds: input === undefined ? seedsOf(join(import.meta.dirname, 'corpus', name)) : [input],
  watch: (given) => {
    Atomics.store(runsSoFar, 1, atHand.write(given, 'utf8'));
    Atomics.add(runsSoFar, 0, 1);
  },
});
parentPort?.postMessage(outcome);
