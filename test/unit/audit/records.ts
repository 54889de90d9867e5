import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { Log } from '../../../gateway/ports/log.ts';
import type { Spool, SpoolLine } from '../../../gateway/ports/spool.ts';

/** A folder that goes away with the test. */
export async function folderOfTest(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tollgate-audit-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

export async function linesOf(spool: Spool, from = 1): Promise<SpoolLine[]> {
  const lines: SpoolLine[] = [];
  for await (const { seq, hash, entry } of spool.read(from)) lines.push({ seq, hash, entry });
  return lines;
}

export async function segmentsOf(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => name.endsWith('.jsonl')).sort();
}

/** A log that remembers its messages. */
export function memoryLog(): Log & { readonly messages: string[] } {
  const messages: string[] = [];
  const add = (fields: object, message: string) => void messages.push(`${message} ${JSON.stringify(fields)}`);
  return { messages, info: add, warn: add, error: add };
}
