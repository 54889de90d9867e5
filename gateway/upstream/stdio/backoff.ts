const FIRST_MS = 250;
const MOST_MS = 30_000;
/** A process that lived this long was no failed start. */
const STEADY_MS = 10_000;

/** When a process that keeps ending may be started again: at once, then after 250 ms, doubling up to 30 s. */
export class Backoff {
  readonly #ticks: () => number;
  #failures = 0;
  #notBefore = 0;

  constructor(ticks: () => number) {
    this.#ticks = ticks;
  }

  /** Milliseconds to wait before the next start; 0: none. */
  wait(): number {
    return Math.max(0, this.#notBefore - this.#ticks());
  }

  /** A process ended by itself, or could not be started (`lived` 0). */
  failed(lived: number): void {
    this.#failures = lived >= STEADY_MS ? 1 : this.#failures + 1;
    if (this.#failures > 1)
      this.#notBefore = this.#ticks() + Math.min(MOST_MS, FIRST_MS * 2 ** Math.min(20, this.#failures - 2));
  }
}
