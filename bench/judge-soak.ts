import { constants, PerformanceObserver } from 'node:perf_hooks';
import { setImmediate as turn } from 'node:timers/promises';
import type { Snapshot } from '../gateway/domain/snapshot.ts';
import { CALLS, eventful } from './judge-policies.ts';

/** Evaluations between two looks at the clocks: about a millisecond. */
const BATCH = 100;
const BATCHES = 20;
const LIMIT_MS = 5;

const KINDS: Readonly<Record<number, string>> = {
  [constants.NODE_PERFORMANCE_GC_MINOR]: 'minor',
  [constants.NODE_PERFORMANCE_GC_MAJOR]: 'major',
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL]: 'incremental',
  [constants.NODE_PERFORMANCE_GC_WEAKCB]: 'weak',
};

export interface Soak {
  readonly minutes: number;
  readonly evaluations: number;
  readonly per_s: number;
  readonly gc: Readonly<Record<string, { readonly pauses: number; readonly longest_ms: number }>>;
  /** by the clock: pauses in which other processes had the processor are among them */
  readonly pauses_above_5_ms: number;
  /** those of them in a stretch of work that had more than 5 ms of processor time: the collector's own */
  readonly own_pauses_above_5_ms: number;
  /** the pauses above 5 ms one by one, in seconds from the start */
  readonly long: readonly {
    readonly at_s: number;
    readonly kind: string;
    readonly ms: number;
    readonly own: boolean;
  }[];
  readonly heap_mb: number;
}

/** Milliseconds of processor time this thread has had. */
function threadTime(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

/**
 * Evaluates as fast as it can for some minutes, each call a snapshot of its own as the gate builds one, and watches every pause of the
 * garbage collector, by the clock and by the processor time of the millisecond of work it fell into.
 */
export async function soak(minutes: number): Promise<Soak> {
  const judge = eventful();
  const decisions = new Set(CALLS.map((call) => judge.evaluate(call).decision));
  if (decisions.size !== 4) throw new Error(`the calls must meet every kind of verdict, but met ${[...decisions]}`);
  const gc: Record<string, { pauses: number; longest_ms: number }> = {};
  const long: { at_s: number; kind: string; ms: number; own: boolean }[] = [];
  const heavy: { readonly from: number; readonly to: number }[] = [];
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      const { duration } = entry;
      const { kind: code } = Reflect.get(entry, 'detail') as { readonly kind: number };
      const kind = KINDS[code] ?? 'other';
      const seen = gc[kind] ?? { pauses: 0, longest_ms: 0 };
      gc[kind] = { pauses: seen.pauses + 1, longest_ms: Math.max(seen.longest_ms, Number(duration.toFixed(2))) };
      if (duration <= LIMIT_MS) continue;
      const own = heavy.some(({ from, to }) => from < entry.startTime + duration && entry.startTime < to);
      long.push({ at_s: Math.round((entry.startTime - start) / 1000), kind, ms: Number(duration.toFixed(2)), own });
    }
  });
  for (let i = 0; i < 40_000; i += 1) judge.evaluate({ ...(CALLS[i % CALLS.length] as Snapshot) });
  const start = performance.now();
  observer.observe({ entryTypes: ['gc'] });
  const end = start + minutes * 60_000;
  let evaluations = 0;
  while (performance.now() < end) {
    for (let batch = 0; batch < BATCHES; batch += 1) {
      const from = performance.now();
      const before = threadTime();
      for (let i = 0; i < BATCH; i += 1) judge.evaluate({ ...(CALLS[i % CALLS.length] as Snapshot) });
      if (threadTime() - before > LIMIT_MS) heavy.push({ from, to: performance.now() });
      evaluations += BATCH;
    }
    await turn();
  }
  const seconds = (performance.now() - start) / 1000;
  await turn();
  observer.disconnect();
  const heap_mb = Math.round(process.memoryUsage().heapUsed / 2 ** 20);
  const per_s = Math.round(evaluations / seconds);
  const own_pauses_above_5_ms = long.filter(({ own }) => own).length;
  return { minutes, evaluations, per_s, gc, pauses_above_5_ms: long.length, own_pauses_above_5_ms, long, heap_mb };
}
