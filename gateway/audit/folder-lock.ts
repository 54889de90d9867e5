import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Fault } from '../domain/fault.ts';

const SQLITE_BUSY = 5;

/**
 * Takes the folder for one writer; returns how to give it back. Throws a Fault (`TG_RECORD_UNAVAILABLE`) naming the holder.
 *
 * The lock is the operating system's own (an exclusive SQLite transaction on the empty `writer.lock`): it ends with the process,
 * so it survives no `kill -9`, and it holds across containers, where process ids repeat. `writer.pid` only feeds the message.
 */
export function lockFolder(folder: string): () => void {
  const lock = new DatabaseSync(join(folder, 'writer.lock'), { timeout: 0 });
  try {
    lock.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (error) {
    lock.close();
    if ((error as { errcode?: number }).errcode !== SQLITE_BUSY) throw error;
    const holder = holderOf(folder);
    const by = holder === undefined ? 'another process' : `process \`${holder}\``;
    throw new Fault(
      'TG_RECORD_UNAVAILABLE',
      `\`${folder}\` is in use by ${by}: stop it or choose another \`state\` folder`,
    );
  }
  writeFileSync(join(folder, 'writer.pid'), `${process.pid}\n`, { mode: 0o600 });
  return () => lock.close();
}

function holderOf(folder: string): string | undefined {
  try {
    return readFileSync(join(folder, 'writer.pid'), 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
