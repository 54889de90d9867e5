import type { EpochMs } from '../../domain/scalars.ts';

const IDLE_MS = 30 * 60_000;
const KEPT = 10_000;

/** Runs of callers that name none: one per caller until it was idle for half an hour (attribution.md 6). Losing it costs inference only. */
export class IdleRuns {
  /** least recently used first */
  readonly #runs = new Map<string, { readonly run: string; at: EpochMs }>();

  /** The run this caller is in; `fresh` makes the id of a new one. */
  of(principalId: string, now: EpochMs, fresh: () => string): string {
    const known = this.#runs.get(principalId);
    const run = known && now - known.at < IDLE_MS ? known.run : fresh();
    this.#runs.delete(principalId);
    this.#runs.set(principalId, { run, at: now });
    if (this.#runs.size > KEPT) this.#runs.delete(this.#runs.keys().next().value as string);
    return run;
  }
}
