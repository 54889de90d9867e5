import { writeSync } from 'node:fs';

const still = new Int32Array(new SharedArrayBuffer(4));

/** Prints a line at once, so that what was said before a SIGKILL was said; waits where the reader of the pipe is behind. */
export function sayLine(line: string): void {
  for (;;) {
    try {
      writeSync(1, `${line}\n`);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      Atomics.wait(still, 0, 0, 1);
    }
  }
}
