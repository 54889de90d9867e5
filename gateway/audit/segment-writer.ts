import type { Log } from '../ports/log.ts';
import type { SpoolDisk } from './disk.ts';
import { type Segment, segmentAt } from './segment.ts';

interface Options {
  readonly disk: SpoolDisk;
  readonly log: Log | undefined;
  readonly sync: boolean;
  readonly segmentBytes: number;
}

/** Writes the end of the record: all of a batch or nothing of it, and the next batch over what a failed one left. */
export class SegmentWriter {
  readonly #folder: string;
  readonly #segments: Segment[];
  readonly #options: Options;
  /** bytes of the last segment that are durable and belong to the record */
  #size: number;
  /** the last segment, clean up to `#size`; undefined: it has to be opened and cut there first */
  #fd: number | undefined;
  /** a failed write may have left something behind `#size` */
  #dirty = false;

  /** Adds to `segments` when it begins one. `size` is how much of the last segment belongs to the record. */
  constructor(folder: string, segments: Segment[], size: number, options: Options) {
    this.#folder = folder;
    this.#segments = segments;
    this.#size = size;
    this.#options = options;
  }

  /**
   * Writes whole lines, the first of them line `seq`, and resolves once they are durable, with whether they began a segment. Rejects
   * with the system's error; then the lines are not part of the record, and were cut off again if the disk let us.
   */
  async append(bytes: Uint8Array, seq: number): Promise<boolean> {
    const { disk, sync } = this.#options;
    const rolls = this.#segments.length === 0 || this.#size >= this.#options.segmentBytes;
    try {
      if (rolls) await this.#roll(seq);
      const fd = this.#fd ?? (await this.#reopen());
      for (let done = 0; done < bytes.length; ) {
        const written = await disk.write(fd, bytes, done, this.#size + done);
        if (written === 0) throw new Error('the disk took no bytes');
        done += written;
      }
      if (sync && !disk.writesThrough) await disk.sync(fd);
    } catch (cause) {
      await this.#restore();
      throw cause;
    }
    this.#size += bytes.length;
    return rolls;
  }

  async #roll(seq: number): Promise<void> {
    await this.close();
    this.#segments.push(segmentAt(this.#folder, seq));
    this.#size = 0;
  }

  /** Opens the last segment and cuts off what does not belong to the record. */
  async #reopen(): Promise<number> {
    const { disk } = this.#options;
    const segment = this.#segments.at(-1) as Segment;
    // A segment that holds lines must be there: making it anew would hide that somebody took it away.
    const fd = await disk.open(segment.path, this.#size === 0);
    try {
      await disk.truncate(fd, this.#size);
      if (this.#size === 0) await disk.syncFolder(this.#folder);
    } catch (cause) {
      await disk.close(fd);
      throw cause;
    }
    this.#dirty = false;
    this.#fd = fd;
    return fd;
  }

  /** After a failed write: cuts it off at once, so that a crash before the next write does not leave refused lines behind. */
  async #restore(): Promise<void> {
    const { disk, log } = this.#options;
    const fd = this.#fd;
    this.#fd = undefined;
    if (fd === undefined) return;
    this.#dirty = true;
    try {
      await disk.truncate(fd, this.#size);
      this.#dirty = false;
    } catch (error) {
      // The next append opens the segment anew and cuts it then; where that fails too, it is refused as this one was.
      log?.warn({ error }, 'what a failed write left in the record could not be cut off yet');
      // A number that is no longer ours may by now be somebody else's file.
      if ((error as NodeJS.ErrnoException).code === 'EBADF') return;
    }
    await disk.close(fd).catch((error: unknown) => log?.warn({ error }, 'a segment of the record was not closed'));
  }

  /** Rejects where refused lines could not be cut off: they would be read as part of the record. */
  async close(): Promise<void> {
    if (this.#dirty) await this.#reopen();
    const fd = this.#fd;
    this.#fd = undefined;
    if (fd !== undefined) await this.#options.disk.close(fd);
  }
}
