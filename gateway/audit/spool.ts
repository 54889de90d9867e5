import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { nodeDisk } from './disk.ts';
import { FileSpool, type OpenSpool, type SpoolOptions } from './file-spool.ts';
import { lockFolder } from './folder-lock.ts';
import { OpenCalls } from './open-calls.ts';
import { segmentsIn } from './segment.ts';
import { openTail } from './tail.ts';

/**
 * Opens the record in `folder` for this process alone, making the folder where there is none, and checks its end. Throws a Fault
 * (`TG_RECORD_UNAVAILABLE`) where another process writes to it or acknowledged lines are damaged.
 */
export async function openSpool(folder: string, options: SpoolOptions = {}): Promise<OpenSpool> {
  const made = await mkdir(folder, { recursive: true, mode: 0o700 });
  if (made !== undefined) await nodeDisk.syncFolder(dirname(made));
  const unlock = lockFolder(folder);
  try {
    const segments = await segmentsIn(folder);
    const { head, size, torn } = await openTail(segments);
    const calls = await OpenCalls.load(join(folder, 'open-calls.json'), segments, head);
    return new FileSpool({ folder, segments, head, size, torn, calls, unlock }, options);
  } catch (error) {
    unlock();
    throw error;
  }
}
