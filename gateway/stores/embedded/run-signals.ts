import type { EpochMs } from '../../domain/scalars.ts';
import { hammingDistance, type SimHash } from '../../domain/simhash.ts';

const CALLS_KEPT = 256;
const KEYS_KEPT = 4096;
const RESULTS_KEPT = 20;
const ANSWERS_KEPT = 20;
/** Bits of 64 that differ between two answers that say nearly the same (meter.md 5, L8). */
const NEAR_BITS = 3;
const TURNS_KEPT = 64;
const CHILDREN_KEPT = 1024;
/** Growth is looked at over so many turns. */
const TURNS = 5;
const MINUTE_MS = 60_000;
/** Runs above a run that are known; a chain of runs keeps no more of them alive. */
const DEPTH_KEPT = 32;

/** What one turn read, in tokens. */
export interface TurnInput {
  readonly input: number;
  /** of it what no cache served */
  readonly uncached: number;
}

interface Turn extends TurnInput {
  /** a call with arguments that the run had not made before came since the turn before */
  readonly fresh: boolean;
}

/**
 * The runaway signals of one run that are no mere counts (meter.md 5: L2 no progress, L4 context growth, L6 fan-out, L8 near-duplicates). Bounded: time and
 * memory do not grow with the run.
 */
export class RunSignals {
  /** call id → key of its arguments, oldest first */
  readonly #keys = new Map<string, string>();
  readonly #seen = new Set<string>();
  readonly #results: { readonly key: string; readonly hash: string }[] = [];
  readonly #turns: Turn[] = [];
  /** oldest first */
  readonly #answers: SimHash[] = [];
  /** what it spawned → when that was first seen, oldest first */
  readonly #children = new Map<string, EpochMs>();
  #fresh = false;
  // worked out once per turn, asked for at every action
  #near = 0;
  #growth = 1;
  #uncached = 1;
  /** the run that spawned this one */
  #parent: RunSignals | undefined;
  #depth = 0;

  called(key: string, callId: string | undefined): void {
    if (!this.#seen.has(key)) {
      this.#fresh = true;
      bounded(this.#seen.add(key), KEYS_KEPT);
    }
    if (callId !== undefined && callId !== '') bounded(this.#keys.set(callId, key), CALLS_KEPT);
  }

  /** The result of a call, by a hash of it; of a call that was not proposed through the gate nothing is known. */
  returned(callId: string, hash: string): void {
    const key = this.#keys.get(callId);
    if (key === undefined) return;
    this.#results.push({ key, hash });
    if (this.#results.length > RESULTS_KEPT) this.#results.shift();
  }

  turned({ input, uncached }: TurnInput): void {
    this.#turns.push({ input, uncached, fresh: this.#fresh });
    this.#fresh = false;
    if (this.#turns.length > TURNS_KEPT) this.#turns.shift();
    this.#growth = this.#contextGrowth();
    this.#uncached = this.#uncachedRatio();
  }

  answered(sketch: SimHash): void {
    this.#answers.push(sketch);
    if (this.#answers.length > ANSWERS_KEPT) this.#answers.shift();
    this.#near = this.#answers.filter((other) => hammingDistance(other, sketch) <= NEAR_BITS).length;
  }

  /** How many of the last 20 answers say nearly the same as the last, itself included. */
  nearDuplicates(): number {
    return this.#near;
  }

  spawned(child: string, at: EpochMs): void {
    if (!this.#children.has(child)) bounded(this.#children.set(child, at), CHILDREN_KEPT);
  }

  /** This run was spawned by that of `parent`. */
  adoptedBy(parent: RunSignals): void {
    let above: RunSignals | undefined = parent;
    for (let i = 0; above && i < DEPTH_KEPT; i += 1) {
      if (above === this) {
        this.#depth = DEPTH_KEPT;
        return;
      }
      above = above.#parent;
    }
    if (above) above.#parent = undefined;
    this.#parent = parent;
    this.#depth = Math.min(DEPTH_KEPT, parent.#depth + 1);
  }

  /** How many runs stand above this one; `DEPTH_KEPT` where it is one of them. */
  depth(): number {
    return this.#depth;
  }

  /** How often this call, or the last one with a result, brought the same result among the last 20; 0 where none came yet. */
  noProgress(key: string | undefined): number {
    const last = this.#results.findLast((result) => key === undefined || result.key === key);
    if (!last) return 0;
    return this.#results.filter((result) => result.key === last.key && result.hash === last.hash).length;
  }

  /** How many times longer the input is than five turns ago, where no new call explains it; 1 where it is not. */
  contextGrowth(): number {
    return this.#growth;
  }

  #contextGrowth(): number {
    const recent = this.#turns.slice(-TURNS);
    const before = this.#turns.at(-TURNS - 1);
    const now = recent.at(-1);
    if (!before || !now || before.input === 0 || recent.some(({ fresh }) => fresh)) return 1;
    return Math.max(1, now.input / before.input);
  }

  /** The last turn's uncached input over the median of the turns before; 1 before there are five. */
  uncachedRatio(): number {
    return this.#uncached;
  }

  #uncachedRatio(): number {
    const now = this.#turns.at(-1);
    if (!now || this.#turns.length <= TURNS) return 1;
    const others = this.#turns.slice(0, -1).map(({ uncached }) => uncached);
    const median = others.sort((a, b) => a - b)[others.length >> 1] as number;
    return median === 0 ? 1 : now.uncached / median;
  }

  /** What this run, or the one that spawned it, spawned within a minute. */
  fanOut(now: EpochMs): number {
    const own = this.#spawnedSince(now);
    return this.#parent ? Math.max(own, this.#parent.#spawnedSince(now)) : own;
  }

  #spawnedSince(now: EpochMs): number {
    let count = 0;
    for (const at of this.#children.values()) if (at > now - MINUTE_MS) count += 1;
    return count;
  }
}

/** Forgets the oldest beyond `most`. */
function bounded(kept: Set<string> | Map<string, unknown>, most: number): void {
  if (kept.size > most) kept.delete(kept.keys().next().value as string);
}
