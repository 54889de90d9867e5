import type { EventEntry } from '../domain/receipt.ts';
import { epochMs } from '../domain/scalars.ts';
import type { Log } from '../ports/log.ts';

/**
 * A time in which the record could not be written. It ends with an event line that says how long it was and how many appends were
 * refused; the line is tried without being asked, because a gate that gets no calls while it is not ready would stay so forever.
 */
export class Outage {
  readonly #probeMs: number;
  readonly #log: Log | undefined;
  readonly #append: (event: EventEntry) => Promise<unknown>;
  #failing = false;
  #since: { readonly at: number; readonly code: string; refused: number } | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** `probeMs` 0: never tries by itself. */
  constructor(probeMs: number, log: Log | undefined, append: (event: EventEntry) => Promise<unknown>) {
    this.#probeMs = probeMs;
    this.#log = log;
    this.#append = append;
  }

  /** True from a failed write to the next that goes through. */
  get failing(): boolean {
    return this.#failing;
  }

  /** A write of `lines` lines failed. Returns the system's word for why. */
  failed(lines: number, cause: unknown): string {
    const code = (cause as NodeJS.ErrnoException).code ?? 'unknown';
    this.#failing = true;
    if (this.#since === undefined) {
      this.#since = { at: Date.now(), code, refused: 0 };
      this.#log?.error({ code, error: cause }, 'the record cannot be written: calls are refused until it can');
      this.#arm();
    }
    this.#since.refused += lines;
    return code;
  }

  wrote(): void {
    this.#failing = false;
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #arm(): void {
    if (this.#probeMs > 0) this.#timer = setTimeout(() => void this.#probe(), this.#probeMs).unref();
  }

  async #probe(): Promise<void> {
    const outage = this.#since;
    if (outage === undefined) return;
    const detail = { since: outage.at, code: outage.code, refused: outage.refused };
    try {
      await this.#append({ kind: 'event', at: epochMs(Date.now()), name: 'record_restored', detail });
    } catch {
      // Already logged and counted when it began; the probe itself is no call that was refused.
      outage.refused -= 1;
      this.#arm();
      return;
    }
    this.#since = undefined;
    this.#log?.info(detail, 'the record can be written again');
  }
}
