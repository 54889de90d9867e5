import { setTimeout as sleep } from 'node:timers/promises';
import type { AuditSink } from '../ports/audit-sink.ts';
import type { Log } from '../ports/log.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { StoredLine } from '../ports/spool.ts';
import { readCursor, saveCursor } from './cursor.ts';
import type { OpenSpool } from './file-spool.ts';
import { type Place, START } from './line.ts';

export interface ShipperOptions {
  readonly spool: Pick<OpenSpool, 'head' | 'read' | 'readMany' | 'subscribe'>;
  readonly sink: AuditSink;
  /** one per sink; in the state folder */
  readonly cursorFile: string;
  readonly metrics: Pick<Metrics, 'shipped' | 'shipLag' | 'shipFailure'>;
  readonly log: Log;
  readonly batchLines?: number | undefined;
  readonly batchBytes?: number | undefined;
  /** how long the first line of a batch waits for others */
  readonly lingerMs?: number | undefined;
  /** when a send that has not settled is aborted */
  readonly sendMs?: number | undefined;
  /** the longest wait between two attempts; the first is about 1/100 of it */
  readonly backoffMs?: number | undefined;
  /** how long `stop` goes on trying to ship what is left */
  readonly stopMs?: number | undefined;
}

export interface Shipper {
  /** lines that the sink does not have yet */
  lag(): number;
  /** Ships what is left, for a bounded time, then closes the sink. What did not go out goes out after the next start. */
  stop(): Promise<void>;
}

/**
 * Ships the record to one sink: every line (begin, seal, event), at least once and in order, one batch at a time. It reads the files
 * of the record, so a sink that is down costs no memory and blocks nobody; the cursor moves only behind what the sink took. Rejects
 * where the cursor file is unreadable.
 */
export async function startShipper(options: ShipperOptions): Promise<Shipper> {
  const shipper = new Loop(options, await fittingCursor(options));
  shipper.start();
  return shipper;
}

/** The saved cursor, or the record's start where the cursor belongs to another record. */
async function fittingCursor({ spool, sink, cursorFile, log }: ShipperOptions): Promise<Place> {
  const saved = await readCursor(cursorFile);
  if (saved.seq === 0) return START;
  if (saved.seq <= spool.head().seq) {
    for await (const line of spool.read(saved.seq)) {
      if (line.hash === saved.hash) return saved;
      break;
    }
  }
  log.error(
    { sink: sink.name, cursor: saved.seq, head: spool.head().seq },
    'the cursor belongs to another record: shipping from the start',
  );
  return START;
}

class Loop implements Shipper {
  readonly #options: ShipperOptions;
  /** aborts waits: there is no time left to linger or back off at leisure */
  readonly #stopping = new AbortController();
  /** aborts sends: stopping took too long */
  readonly #giveUp = new AbortController();
  #cursor: Place;
  #wake: () => void = () => {};
  #done: Promise<void> = Promise.resolve();
  #unsubscribe: () => void = () => {};
  #gauge: NodeJS.Timeout | undefined;
  #stopped: Promise<void> | undefined;

  constructor(options: ShipperOptions, cursor: Place) {
    this.#options = options;
    this.#cursor = cursor;
  }

  start(): void {
    this.#unsubscribe = this.#options.spool.subscribe(() => this.#wake());
    this.#gauge = setInterval(() => this.#report(), 1000).unref();
    this.#report();
    this.#done = this.#run();
  }

  lag(): number {
    return this.#options.spool.head().seq - this.#cursor.seq;
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#end();
    return this.#stopped;
  }

  async #run(): Promise<void> {
    const { spool, sink, log, metrics, batchLines = 500, batchBytes = 1_000_000 } = this.#options;
    for (let failures = 0; ; ) {
      await this.#gather(batchLines);
      if (this.lag() === 0 || this.#giveUp.signal.aborted) return;
      try {
        for await (const batch of batches(spool.readMany(this.#cursor.seq + 1), batchLines, batchBytes)) {
          // time may be up since the batch was read: nothing is sent that could not be waited for
          if (this.#giveUp.signal.aborted) return;
          await this.#deliver(batch);
          failures = 0;
        }
      } catch (error) {
        metrics.shipFailure(sink.name);
        log.error({ sink: sink.name, seq: this.#cursor.seq + 1, error }, 'the record cannot be read for shipping');
        await this.#backOff(failures++);
      }
    }
  }

  /** Waits until there is something to ship, and a little longer for a fuller batch. */
  async #gather(enough: number): Promise<void> {
    if (this.lag() === 0 && !this.#stopping.signal.aborted) {
      await new Promise<void>((wake) => {
        this.#wake = wake;
      });
    }
    if (this.lag() < enough) await pause(this.#options.lingerMs ?? 100, this.#stopping.signal);
  }

  /** Resolves once the sink has the batch, or when time is up. */
  async #deliver(batch: readonly StoredLine[]): Promise<void> {
    const { sink, cursorFile, metrics, log, sendMs = 60_000 } = this.#options;
    const [first, last] = [batch[0], batch.at(-1)] as [StoredLine, StoredLine];
    for (let attempt = 0; ; attempt += 1) {
      try {
        await sink.send(batch, AbortSignal.any([this.#giveUp.signal, AbortSignal.timeout(sendMs)]));
        break;
      } catch (error) {
        metrics.shipFailure(sink.name);
        const why = error instanceof Error ? error.message : String(error);
        log.warn(
          { sink: sink.name, first: first.seq, last: last.seq, attempt, why },
          'the sink did not take a batch: it is sent again',
        );
        if (!this.#giveUp.signal.aborted) await this.#backOff(attempt);
        if (this.#giveUp.signal.aborted) return;
      }
    }
    this.#cursor = { seq: last.seq, hash: last.hash };
    metrics.shipped(sink.name, batch.length);
    this.#report();
    try {
      await saveCursor(cursorFile, this.#cursor);
    } catch (error) {
      log.warn(
        { sink: sink.name, cursorFile, error },
        'the cursor was not saved: after a restart some lines are shipped twice',
      );
    }
  }

  /** Doubling waits with jitter; a stop cuts the wait short, and while stopping attempts follow quickly. */
  async #backOff(failures: number): Promise<void> {
    const { backoffMs = 30_000, stopMs = 5_000 } = this.#options;
    const cap = Math.min(backoffMs, (backoffMs / 100) * 2 ** Math.min(failures, 20));
    const wait = cap / 2 + (Math.random() * cap) / 2;
    if (!this.#stopping.signal.aborted) await pause(wait, this.#stopping.signal);
    else await pause(Math.min(wait, stopMs / 10), this.#giveUp.signal);
  }

  #report(): void {
    this.#options.metrics.shipLag(this.#options.sink.name, this.lag());
  }

  async #end(): Promise<void> {
    const { sink, log, stopMs = 5_000 } = this.#options;
    this.#stopping.abort();
    this.#wake();
    const late = setTimeout(() => this.#giveUp.abort(), stopMs);
    // A sink that ignores its signal does not keep the gate from ending.
    await within(stopMs + 500, this.#done);
    clearTimeout(late);
    this.#giveUp.abort();
    this.#unsubscribe();
    clearInterval(this.#gauge);
    this.#report();
    if (this.lag() > 0)
      log.warn({ sink: sink.name, lag: this.lag() }, 'lines are left: they are shipped after the next start');
    await within(500, sink.close());
  }
}

/** Groups lines without ever holding more than one batch and one read. A line larger than `maxBytes` goes alone. */
async function* batches(source: AsyncIterable<readonly StoredLine[]>, maxLines: number, maxBytes: number) {
  let batch: StoredLine[] = [];
  let bytes = 0;
  for await (const lines of source) {
    for (const line of lines) {
      const size = Buffer.byteLength(line.text) + 1;
      if (batch.length === maxLines || (batch.length > 0 && bytes + size > maxBytes)) {
        yield batch;
        batch = [];
        bytes = 0;
      }
      batch.push(line);
      bytes += size;
    }
  }
  if (batch.length > 0) yield batch;
}

/** Sleeps, or until `signal` aborts. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  try {
    await sleep(ms, undefined, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

async function within(ms: number, work: Promise<void>): Promise<void> {
  const timer = new AbortController();
  await Promise.race([work, pause(ms, timer.signal)]).finally(() => timer.abort());
}
