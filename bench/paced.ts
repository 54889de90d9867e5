import { setTimeout as sleep } from 'node:timers/promises';
import { type Dispatcher, Pool } from 'undici';
import { quantile } from './quantile.ts';
import type { BenchCall } from './traffic.ts';

export interface Pace {
  readonly url: string;
  readonly calls: readonly BenchCall[];
  readonly rate: number;
  readonly seconds: number;
}

/** Milliseconds. */
export interface Paced {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  /** to the first byte of the body */
  readonly first50: number;
  readonly first99: number;
}

class Timed implements Dispatcher.DispatchHandler {
  readonly #sent = performance.now();
  readonly #done: (times: { first: number; all: number } | Error) => void;
  #first = 0;

  constructor(done: (times: { first: number; all: number } | Error) => void) {
    this.#done = done;
  }

  onRequestStart(): void {}

  onResponseStart(_controller: Dispatcher.DispatchController, status: number): void {
    if (status !== 200) this.#done(new Error(`a call was answered with status ${status}`));
  }

  onResponseData(): void {
    if (this.#first === 0) this.#first = performance.now() - this.#sent;
  }

  onResponseEnd(): void {
    this.#done({ first: this.#first, all: performance.now() - this.#sent });
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#done(error);
  }
}

/**
 * Sends calls at a fixed rate, evenly spaced, whether or not earlier ones were answered: a slow answer cannot slow the questions
 * down. (autocannon spends a second's calls in one burst, which measures a queue.) Rejects where a call fails.
 */
export async function paced({ url, calls, rate, seconds }: Pace): Promise<Paced> {
  const { origin, pathname } = new URL(url);
  const pool = new Pool(origin, { connections: null, pipelining: 1 });
  const all: number[] = [];
  const first: number[] = [];
  const total = Math.round(rate * seconds);
  let failure: Error | undefined;
  let sent = 0;
  const begin = performance.now();
  while (sent < total && failure === undefined) {
    const due = Math.min(total, Math.floor(((performance.now() - begin) / 1000) * rate) + 1);
    for (; sent < due; sent += 1) {
      const { headers, body } = calls[sent % calls.length] as BenchCall;
      const timed = new Timed((times) => {
        if (times instanceof Error) failure ??= times;
        else {
          all.push(times.all);
          first.push(times.first);
        }
      });
      pool.dispatch({ path: pathname, method: 'POST', headers, body }, timed);
    }
    await sleep(1);
  }
  await pool.close();
  if (failure) throw new Error(`${url}: ${failure.message}`, { cause: failure });
  return {
    count: all.length,
    p50: quantile(all, 0.5),
    p99: quantile(all, 0.99),
    first50: quantile(first, 0.5),
    first99: quantile(first, 0.99),
  };
}
