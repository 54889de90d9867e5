import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { Fault } from '../../domain/fault.ts';
import { problemText } from '../../domain/source.ts';
import type { Clock } from '../../ports/clock.ts';
import type { PinLock, Trusted } from '../../ports/pin-store.ts';
import { lockText, readLockText } from './pins-lock-text.ts';

/** The file is looked at this often at most. */
const LOOK_MS = 200;

/** The lock file on the disk. An edit, by `tollgate mcp pins` or by `git pull`, counts within 200 ms. */
export class FilePinLock implements PinLock {
  readonly path: string;
  readonly #clock: Clock;
  #print = 'unread';
  #lookedAt = Number.NEGATIVE_INFINITY;

  constructor(path: string, clock: Clock) {
    this.path = path;
    this.#clock = clock;
  }

  changed(): boolean {
    const now = this.#clock.ticks();
    if (now - this.#lookedAt < LOOK_MS) return false;
    this.#lookedAt = now;
    return this.#fingerprint() !== this.#print;
  }

  read(): readonly Trusted[] {
    this.#print = this.#fingerprint();
    if (this.#print === 'none') return [];
    const { pins, problems } = readLockText(this.path, this.#text());
    if (problems.length > 0) throw new Fault('TG_PINS_UNAVAILABLE', problems.map(problemText).join('\n'));
    return pins;
  }

  /** Writes the file whole: there is never half of one. Throws a Fault where it cannot be written. */
  write(pins: readonly Trusted[]): void {
    const draft = `${this.path}.${process.pid}.tmp`;
    try {
      const file = openSync(draft, 'w');
      try {
        writeSync(file, lockText(pins));
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
      renameSync(draft, this.path);
    } catch (error) {
      rmSync(draft, { force: true });
      throw new Fault('TG_PINS_UNAVAILABLE', `\`${this.path}\` cannot be written: ${said(error)}`, error);
    }
  }

  #text(): string {
    try {
      return readFileSync(this.path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return lockText([]);
      throw new Fault('TG_PINS_UNAVAILABLE', `\`${this.path}\` cannot be read: ${said(error)}`, error);
    }
  }

  #fingerprint(): string {
    try {
      const stat = statSync(this.path, { bigint: true, throwIfNoEntry: false });
      return stat === undefined ? 'none' : `${stat.ino} ${stat.size} ${stat.mtimeNs}`;
    } catch (error) {
      throw new Fault('TG_PINS_UNAVAILABLE', `\`${this.path}\` cannot be read: ${said(error)}`, error);
    }
  }
}

const said = (error: unknown): string => (error instanceof Error ? error.message : String(error));
