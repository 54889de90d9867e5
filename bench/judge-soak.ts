import { setImmediate as turn } from 'node:timers/promises';
import { GCProfiler } from 'node:v8';
import { tuneCollector } from '../gateway/compose/collector.ts';
import type { Snapshot } from '../gateway/domain/snapshot.ts';
import { CALLS, eventful } from './judge-policies.ts';

/** Evaluations between two looks at the clocks: about a millisecond. */
const BATCH = 100;
/** Evaluations between two turns of the loop, which a gate takes all the time. */
const TURN = 2_000;
const LIMIT_MS = 5;

export interface Soak {
  readonly minutes: number;
  readonly evaluations: number;
  readonly per_s: number;
  /** by V8's names: `Scavenge` empties the young generation, `MarkSweepCompact` the old one */
  readonly gc: Readonly<Record<string, { readonly pauses: number; readonly longest_ms: number }>>;
  /** by the clock: pauses in which other processes had the processor are among them */
  readonly pauses_above_5_ms: number;
  /** at most so many of them are the collector's own: stretches of a millisecond's work that had more than 5 ms of processor time */
  readonly own_pauses_above_5_ms: number;
  /** the pauses above 5 ms, in order */
  readonly long: readonly { readonly kind: string; readonly ms: number }[];
  readonly heap_mb: number;
}

/** Milliseconds of processor time this thread has had. */
function threadTime(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

/**
 * Evaluates as fast as it can for some minutes, each call a snapshot of its own as the gate builds one, and watches every pause of the
 * garbage collector, set as the gate sets it, by the clock and by processor time. The pauses are kept by the profiler, outside of the heap:
 * entries of an observer live so long that they fill the old generation themselves.
 */
export async function soak(minutes: number): Promise<Soak> {
  tuneCollector();
  const judge = eventful();
  const decisions = new Set(CALLS.map((call) => judge.evaluate(call).decision));
  if (decisions.size !== 4) throw new Error(`the calls must meet every kind of verdict, but met ${[...decisions]}`);
  for (let i = 0; i < 40_000; i += 1) judge.evaluate({ ...(CALLS[i % CALLS.length] as Snapshot) });
  const profiler = new GCProfiler();
  profiler.start();
  const start = performance.now();
  const end = start + minutes * 60_000;
  let evaluations = 0;
  let heavy = 0;
  for (; performance.now() < end; evaluations += BATCH) {
    const before = threadTime();
    for (let i = 0; i < BATCH; i += 1) judge.evaluate({ ...(CALLS[i % CALLS.length] as Snapshot) });
    if (threadTime() - before > LIMIT_MS) heavy += 1;
    if (evaluations % TURN === 0) await turn();
  }
  const seconds = (performance.now() - start) / 1000;
  const heap_mb = Math.round(process.memoryUsage().heapUsed / 2 ** 20);
  const all = profiler
    .stop()
    .statistics.map(({ gcType: kind, cost }) => ({ kind, ms: Number((cost / 1000).toFixed(2)) }));
  const gc: Record<string, { pauses: number; longest_ms: number }> = {};
  for (const { kind, ms } of all) {
    const seen = gc[kind] ?? { pauses: 0, longest_ms: 0 };
    gc[kind] = { pauses: seen.pauses + 1, longest_ms: Math.max(seen.longest_ms, ms) };
  }
  const long = all.filter(({ ms }) => ms > LIMIT_MS);
  const own_pauses_above_5_ms = Math.min(long.length, heavy);
  const per_s = Math.round(evaluations / seconds);
  return { minutes, evaluations, per_s, gc, pauses_above_5_ms: long.length, own_pauses_above_5_ms, long, heap_mb };
}
