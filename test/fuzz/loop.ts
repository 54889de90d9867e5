import { beginRun, edges, isNew, literals } from './coverage.ts';
import { mutate } from './mutate.ts';
import { Random } from './random.ts';
import type { Target } from './target.ts';
import { threadTime } from './thread-time.ts';

/** What a run of the fuzzer found out. */
export interface Outcome {
  readonly runs: number;
  readonly edges: number;
  /** inputs kept because they went where none had gone */
  readonly kept: number;
  readonly finding?: { readonly message: string; readonly input: string } | undefined;
}

export interface Plan {
  readonly seconds: number;
  /** at most so many, the seeds not counted */
  readonly runs: number;
  readonly seed: number;
  readonly seeds: readonly string[];
  /** keeps nothing it finds: what luck alone does, to compare with */
  readonly blind?: boolean | undefined;
  /** told of every input before it is run */
  readonly watch?: ((input: string) => void) | undefined;
}

const MOST_KEPT = 5_000;

/** What is wrong with an input, or undefined; the slowness the target told. */
function ask(target: Target, input: string, plan: Plan): { readonly wrong?: string; readonly slow: number } {
  plan.watch?.(input);
  beginRun();
  const start = threadTime();
  try {
    const slow = target.run(input) ?? 0;
    if (threadTime() - start <= target.boundMs || !isSlow(target, input)) return { slow };
    return { wrong: `it takes longer than ${target.boundMs} ms`, slow };
  } catch (error) {
    return { wrong: error instanceof Error ? (error.stack ?? error.message) : String(error), slow: 0 };
  }
}

/** Slow again and again: not only because its code was new. */
function isSlow(target: Target, input: string): boolean {
  for (let again = 0; again < 3; again += 1) {
    const start = threadTime();
    target.run(input);
    if (threadTime() - start <= target.boundMs) return false;
  }
  return true;
}

const gist = (wrong: string): string => (wrong.split('\n')[0] as string).replace(/[0-9`'"].*$/, '');

/** A shorter input with which the same is wrong. */
function shortened(target: Target, input: string, wrong: string, plan: Plan): string {
  const end = performance.now() + 2_000;
  let best = input;
  for (let size = best.length >> 1; size >= 1; size >>= 1) {
    for (let at = 0; at < best.length && performance.now() < end; ) {
      const shorter = best.slice(0, at) + best.slice(at + size);
      const now = ask(target, shorter, plan).wrong;
      if (now !== undefined && gist(now) === gist(wrong)) best = shorter;
      else at += size;
    }
  }
  return best;
}

/** Runs a target on changed inputs until the time is over or something is wrong. What went somewhere new is changed further. */
export function fuzz(target: Target, plan: Plan): Outcome {
  const random = new Random(plan.seed);
  const end = performance.now() + plan.seconds * 1000;
  const kept: string[] = [];
  let words: readonly string[] = target.words;
  let slowest = 0;
  let runs = 0;
  const found = (input: string, wrong: string): Outcome => ({
    runs,
    edges: edges(),
    kept: kept.length,
    finding: { message: wrong, input: shortened(target, input, wrong, plan) },
  });
  const one = (input: string): Outcome | undefined => {
    runs += 1;
    const { wrong, slow } = ask(target, input, plan);
    if (wrong !== undefined) return found(input, wrong);
    const slower = slow > slowest * 1.2;
    if (slower) slowest = slow;
    if ((isNew() || slower) && plan.blind !== true && kept.length < MOST_KEPT) kept.push(input);
    return undefined;
  };
  for (const seed of plan.seeds) {
    const outcome = one(seed);
    if (outcome) return outcome;
  }
  words = [...new Set([...target.words, ...literals()])];
  const pool = (): readonly string[] => (kept.length > 0 ? kept : plan.seeds);
  const most = runs + plan.runs;
  while (performance.now() < end && runs < most) {
    const from = pool();
    // The newest half is asked three times as often: what has just been found leads on.
    const newest = random.int(4) > 0 && from.length > 4;
    const base = newest ? (from[from.length - 1 - random.int(from.length >> 1)] as string) : random.pick(from);
    const outcome = one(mutate(base, random, words, random.pick(from), target.most));
    if (outcome) return outcome;
  }
  return { runs, edges: edges(), kept: kept.length };
}
