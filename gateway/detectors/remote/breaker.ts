export interface BreakerTerms {
  /** failures in a row that open it */
  readonly failures: number;
  readonly openMs: number;
}

/** Stops asking what keeps failing: open for a while, then one question is let through, and its answer decides. */
export class Breaker {
  readonly #terms: BreakerTerms;
  readonly #ticks: () => number;
  readonly #onChange: (open: boolean) => void;
  #failures = 0;
  #openUntil: number | undefined;
  #trying = false;

  /** `ticks`: milliseconds from an arbitrary start. */
  constructor(terms: BreakerTerms, ticks: () => number, onChange: (open: boolean) => void) {
    this.#terms = terms;
    this.#ticks = ticks;
    this.#onChange = onChange;
  }

  /** True where a question may go; `passed` or `failed` has to follow. */
  enter(): boolean {
    if (this.#openUntil === undefined) return true;
    if (this.#trying || this.#ticks() < this.#openUntil) return false;
    this.#trying = true;
    return true;
  }

  passed(): void {
    this.#failures = 0;
    this.#trying = false;
    if (this.#openUntil === undefined) return;
    this.#openUntil = undefined;
    this.#onChange(false);
  }

  failed(): void {
    this.#failures += 1;
    this.#trying = false;
    if (this.#openUntil === undefined && this.#failures < this.#terms.failures) return;
    const wasOpen = this.#openUntil !== undefined;
    this.#openUntil = this.#ticks() + this.#terms.openMs;
    if (!wasOpen) this.#onChange(true);
  }
}
