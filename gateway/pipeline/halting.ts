import type { Log } from '../ports/log.ts';
import type { Runs } from '../ports/runs.ts';
import { heartbeat } from './heartbeat.ts';

export type HaltedKind = NonNullable<ReturnType<Runs['halted']>>;

/** What a caller is told. */
export const haltText = (what: HaltedKind): string =>
  `tollgate halted this ${what}; nothing more is carried for it until an operator lifts the halt`;

/** How often calls under way are asked whether another process halted them. */
const POLL_MS = 500;

/** A call under way that a halt may end. */
export interface HaltWatch {
  /** what was halted, once something was */
  readonly what: HaltedKind | undefined;
  close(): void;
}

/**
 * Tells calls under way that their run, agent or human was halted: at once where a rule of this process did it, within half a second
 * where another process did. Costs one question per call and beat, and nothing while no call is under way.
 */
export class Halting {
  readonly #log: Log;
  readonly #asks = new Set<() => void>();
  #stop: (() => void) | undefined;
  #failing = false;

  constructor(log: Log) {
    this.#log = log;
  }

  /** Something was halted: every call under way is asked. Never throws. */
  notify(): void {
    for (const ask of [...this.#asks]) ask();
  }

  /** Watches until closed. `onHalt` is called at most once; a question that cannot be answered is asked again. */
  watch(halted: () => HaltedKind | undefined, onHalt: () => void): HaltWatch {
    const watch: { what: HaltedKind | undefined; close: () => void } = {
      what: undefined,
      close: () => {
        this.#asks.delete(ask);
        if (this.#asks.size > 0) return;
        this.#stop?.();
        this.#stop = undefined;
      },
    };
    const ask = (): void => {
      try {
        watch.what = halted();
        this.#failing = false;
      } catch (error) {
        this.#fail(error);
        return;
      }
      if (watch.what === undefined) return;
      watch.close();
      onHalt();
    };
    this.#asks.add(ask);
    ask();
    if (this.#asks.size > 0) this.#stop ??= heartbeat(POLL_MS, () => this.notify());
    return watch;
  }

  /** One line until it is well again. */
  #fail(error: unknown): void {
    if (!this.#failing)
      this.#log.error(
        { error: error instanceof Error ? error.message : 'unknown' },
        'halts could not be read; calls under way go on and it is asked again',
      );
    this.#failing = true;
  }
}
