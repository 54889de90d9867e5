import { Fault } from '../domain/fault.ts';
import type { Entry } from '../domain/receipt.ts';
import type { Log } from '../ports/log.ts';
import type { Spool, SpoolLine, StoredLine, Urgency } from '../ports/spool.ts';
import { nodeDisk, plainDisk, type SpoolDisk } from './disk.ts';
import { lineHash, lineText, type Place } from './line.ts';
import type { OpenCalls } from './open-calls.ts';
import { Outage } from './outage.ts';
import { type Segment, storedLines } from './segment.ts';
import { SegmentWriter } from './segment-writer.ts';
import type { Torn } from './tail.ts';

export interface SpoolOptions {
  /** a segment that reached this size is followed by a new one; 64 MiB unless told */
  readonly segmentBytes?: number | undefined;
  /** false: `append` resolves when the line is written, which survives a kill but no power cut; true unless told */
  readonly sync?: boolean | undefined;
  readonly disk?: SpoolDisk | undefined;
  readonly log?: Log | undefined;
  /** while writing fails, how often it is tried without being asked, so that readiness can return; 1 s unless told, 0: never */
  readonly probeMs?: number | undefined;
}

/** The record in a folder, with what only its own room needs. */
export interface OpenSpool extends Spool {
  read(fromSeq: number): AsyncIterable<StoredLine>;
  /** Like `read`, in arrays of what one read of the disk brought. */
  readMany(fromSeq: number): AsyncIterable<readonly StoredLine[]>;
  /** Numbers of the begin lines whose call is not sealed, ascending. */
  openSeqs(): number[];
  /** What opening had to cut off; undefined after an orderly end. */
  readonly recovered: Torn | undefined;
}

interface Pending {
  readonly entry: Entry;
  readonly text: string;
  place: Place;
  line: string;
  readonly resolve: (line: SpoolLine) => void;
  readonly reject: (fault: Fault) => void;
}

const SEGMENT_BYTES = 64 * 1024 * 1024;
/** One flush takes at most about this many characters, so that the loop is never held long. */
const FLUSH_CHARS = 1024 * 1024;
/** Beyond this the disk is taken for gone and appends are refused at once. */
const QUEUE_CHARS = 64 * 1024 * 1024;
const BEHIND = 'the disk under the record does not keep up: try again later';

/** How long a line that nobody waits for may wait for others. */
const LINGER_MS = 4;

/** So soon after a flush there is traffic, and a turn of the loop brings more lines that can share the next one. */
const BUSY_MS = 1;

type Listener = Parameters<Spool['subscribe']>[0];

/** What opening the folder found. */
export interface Opened {
  readonly folder: string;
  readonly segments: Segment[];
  readonly head: Place;
  readonly size: number;
  readonly torn: Torn | undefined;
  readonly calls: OpenCalls;
  readonly unlock: () => void;
}

/** The record in a folder that this process holds. Made by `openSpool`. */
export class FileSpool implements OpenSpool {
  readonly recovered: Torn | undefined;
  readonly #folder: string;
  readonly #segments: readonly Segment[];
  readonly #calls: OpenCalls;
  readonly #unlock: () => void;
  readonly #writer: SegmentWriter;
  readonly #log: Log | undefined;
  readonly #outage: Outage;
  readonly #listeners = new Set<Listener>();
  #queue: Pending[] = [];
  #queued = 0;
  /** the place of the newest queued line: in the chain only once every line before it is durable */
  #tail: Place;
  /** the place of the last durable line */
  #head: Place;
  #flushing: Promise<void> | undefined;
  #flushedAt = Number.NEGATIVE_INFINITY;
  /** something in the queue is waited for */
  #urgent = false;
  #linger: NodeJS.Timeout | undefined;
  #saving: Promise<void> = Promise.resolve();
  #closing: Promise<void> | undefined;

  constructor(opened: Opened, options: SpoolOptions) {
    const { folder, segments, head, size, torn, calls, unlock } = opened;
    const { sync = true } = options;
    this.recovered = torn;
    this.#folder = folder;
    this.#segments = segments;
    this.#calls = calls;
    this.#unlock = unlock;
    this.#head = head;
    this.#tail = head;
    this.#log = options.log;
    this.#outage = new Outage(options.probeMs ?? 1000, options.log, (event) => this.append(event));
    this.#writer = new SegmentWriter(folder, segments, size, {
      disk: options.disk ?? (sync ? nodeDisk : plainDisk),
      log: options.log,
      sync,
      segmentBytes: options.segmentBytes ?? SEGMENT_BYTES,
    });
  }

  append(entry: Entry, when: Urgency = 'now'): Promise<SpoolLine> {
    if (this.#closing) return Promise.reject(new Fault('TG_RECORD_UNAVAILABLE', 'the record is closed'));
    if (this.#queued > QUEUE_CHARS) return Promise.reject(new Fault('TG_RECORD_UNAVAILABLE', BEHIND));
    return new Promise((resolve, reject) => {
      const pending: Pending = { entry, text: textOf(entry), place: this.#tail, line: '', resolve, reject };
      this.#chain(pending);
      this.#queue.push(pending);
      this.#queued += pending.line.length;
      if (when === 'now') this.#urgent = true;
      this.#wake();
    });
  }

  /** Starts a flush where something waits for one, else after a linger in which more may come to share it. */
  #wake(): void {
    if (this.#flushing !== undefined || this.#queue.length === 0) return;
    if (this.#urgent) this.#flushing = this.#flushAll();
    else this.#linger ??= setTimeout(() => this.#hurry(), LINGER_MS);
  }

  #hurry(): void {
    this.#urgent = true;
    this.#wake();
  }

  /** Puts a line behind the newest queued one; the hash is worked out while an earlier flush waits for the disk. */
  #chain(pending: Pending): void {
    const hash = lineHash(this.#tail, pending.text);
    pending.line = lineText(this.#tail, hash, pending.text);
    this.#tail = { seq: this.#tail.seq + 1, hash };
    pending.place = this.#tail;
  }

  /** Group commit: whatever was queued while one flush was under way makes the next. A line that comes alone waits for nobody. */
  async #flushAll(): Promise<void> {
    clearTimeout(this.#linger);
    this.#linger = undefined;
    // what is appended in one go is flushed in one go
    await undefined;
    while (this.#queue.length > 0 && this.#urgent) {
      if (performance.now() - this.#flushedAt < BUSY_MS) await new Promise(setImmediate);
      const batch = this.#take();
      this.#urgent = this.#queue.length > 0;
      await this.#flush(batch);
      this.#flushedAt = performance.now();
    }
    this.#flushing = undefined;
    if (this.#queue.length > 0) this.#wake();
    else this.#urgent = false;
  }

  #take(): Pending[] {
    let chars = 0;
    let count = 0;
    for (const pending of this.#queue) {
      count += 1;
      chars += pending.line.length;
      if (chars >= FLUSH_CHARS) break;
    }
    this.#queued -= chars;
    return this.#queue.splice(0, count);
  }

  async #flush(batch: readonly Pending[]): Promise<void> {
    let began: boolean;
    try {
      const bytes = Buffer.from(batch.map((pending) => pending.line).join(''));
      began = await this.#writer.append(bytes, this.#head.seq + 1);
    } catch (cause) {
      this.#refuse(batch, cause);
      return;
    }
    this.#outage.wrote();
    for (const { entry, text, place, resolve } of batch) {
      const line: SpoolLine = { seq: place.seq, hash: place.hash, entry };
      this.#head = place;
      this.#calls.see(place.seq, entry);
      resolve(line);
      for (const listener of this.#listeners) this.#tell(listener, line, text);
    }
    if (began) this.#saving = this.#saveCalls();
  }

  #tell(listener: Listener, line: SpoolLine, json: string): void {
    try {
      listener(line, json);
    } catch (error) {
      // A listener's defect neither unmakes a durable line nor keeps the next one from the others.
      if (this.#log) this.#log.error({ error, seq: line.seq }, 'a listener of the record failed');
      else process.emitWarning(error instanceof Error ? error : String(error));
    }
  }

  /** The batch is not in the chain: its numbers go to the lines queued behind it. */
  #refuse(batch: readonly Pending[], cause: unknown): void {
    const code = this.#outage.failed(batch.length, cause);
    this.#tail = this.#head;
    for (const pending of this.#queue) this.#chain(pending);
    const message = `the record cannot be written (\`${code}\`), so nothing is carried: try again once its disk is back`;
    for (const { reject } of batch) reject(new Fault('TG_RECORD_UNAVAILABLE', message, cause));
  }

  async #saveCalls(): Promise<void> {
    await this.#saving;
    try {
      await this.#calls.save(this.#head);
    } catch (error) {
      this.#log?.warn(
        { folder: this.#folder, error },
        'the list of open calls was not saved: the next start reads more of the record',
      );
    }
  }

  async *readMany(fromSeq: number): AsyncGenerator<readonly StoredLine[]> {
    yield* storedLines(this.#segments, fromSeq, this.#head.seq);
  }

  async *read(fromSeq: number): AsyncGenerator<StoredLine> {
    for await (const lines of this.readMany(fromSeq)) yield* lines;
  }

  openSeqs(): number[] {
    return this.#calls.seqs();
  }

  head(): Place {
    return this.#head;
  }

  subscribe(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  healthy(): boolean {
    return !this.#outage.failing;
  }

  close(): Promise<void> {
    this.#closing ??= this.#end();
    return this.#closing;
  }

  async #end(): Promise<void> {
    this.#outage.stop();
    this.#hurry();
    try {
      while (this.#flushing !== undefined) await this.#flushing;
      await this.#saveCalls();
      await this.#writer.close();
    } finally {
      this.#unlock();
    }
  }
}

function textOf(entry: Entry): string {
  try {
    return JSON.stringify(entry);
  } catch (cause) {
    throw new Fault('TG_RECORD_UNAVAILABLE', 'the entry has no JSON form', cause);
  }
}
