// One measurement of the judge in a process of its own: a gate has one policy, and its code is compiled by the machine for that one.
import { applicable, CALL, others } from './judge-policies.ts';
import { CONTESTS, type ContestName } from './judge-rival.ts';
import { soak } from './judge-soak.ts';

const ROUNDS = 9;

/** Microseconds of an evaluation, the reading of the clock (about 0.1 µs a sample) included. */
export interface Times {
  readonly p50: number;
  readonly p99: number;
  /** p99 of the middle one of the rounds */
  readonly p99_median: number;
  readonly mean: number;
  readonly load_ms: number;
}

interface Round {
  readonly p50: number;
  readonly p99: number;
  readonly mean: number;
}

/** A sample is one pass over all calls, divided by their number. */
function oneRound(run: (i: number) => unknown, calls: number, passes: number): Round {
  const samples = new Float64Array(passes);
  for (let s = 0; s < passes; s += 1) {
    const start = performance.now();
    for (let i = 0; i < calls; i += 1) run(i);
    samples[s] = ((performance.now() - start) * 1000) / calls;
  }
  samples.sort();
  const at = (q: number): number => samples[Math.min(samples.length - 1, Math.floor(samples.length * q))] as number;
  return { p50: at(0.5), p99: at(0.99), mean: samples.reduce((a, b) => a + b, 0) / samples.length };
}

/** The round with the lowest p99 counts: on a machine that other processes use, the others measure those. */
function time(run: (i: number) => unknown, calls: number, passes: number, load_ms: number): Times {
  for (let i = 0; i < 2 * passes * calls; i += 1) run(i % calls);
  const rounds = Array.from({ length: ROUNDS }, () => oneRound(run, calls, passes));
  const sorted = rounds.toSorted((a, b) => a.p99 - b.p99);
  const [best, middle] = [sorted[0] as Round, sorted[ROUNDS >> 1] as Round];
  return { ...best, p99_median: middle.p99, load_ms };
}

function sizes(kind: string, size: number): Times {
  const start = performance.now();
  const judge = kind === 'applicable' ? applicable(size) : others(size);
  const load = performance.now() - start;
  const verdict = judge.evaluate(CALL);
  if (verdict.decision !== 'allow')
    throw new Error(`the bench call must match no rule, but got ${verdict.rule}: ${verdict.message}`);
  const evaluations = kind === 'applicable' ? Math.max(1_000, Math.floor(2_000_000 / Math.max(100, size))) : 20_000;
  return time(() => judge.evaluate(CALL), 1, evaluations, load);
}

async function contest(name: ContestName, side: string): Promise<Times> {
  const { calls, tollgate, rival } = CONTESTS[name];
  const start = performance.now();
  const run = side === 'tollgate' ? tollgate() : await rival();
  return time(run, calls, name === 'conditions' && side === 'rival' ? 2_000 : 20_000, performance.now() - start);
}

const [kind = '', what = ''] = process.argv.slice(2);
if (kind === 'soak') process.send?.(await soak(Number(what)));
else process.send?.(kind in CONTESTS ? await contest(kind as ContestName, what) : sizes(kind, Number(what)));
process.disconnect?.();
