import type { BeginEntry, SealEntry } from '../domain/receipt.ts';
import type { StoredLine } from '../ports/spool.ts';
import type { OpenSpool } from './file-spool.ts';

export interface ScanOptions {
  /** the last line that the index already has: seals behind it are counted and handed over; 0 for all */
  readonly since: number;
  /** gets every seal behind `since`, in order, awaited one by one */
  readonly onSeal?: ((seq: number, seal: SealEntry) => void | Promise<void>) | undefined;
}

export interface Scan {
  /** calls that began and were never sealed, oldest first, however long ago they began */
  readonly open: readonly BeginEntry[];
  /** seals behind `since` */
  readonly sealed: number;
  /** the last line that was looked at: where the index stands now */
  readonly upTo: number;
}

/** Lines further apart than this are sought, nearer ones are read on to. */
const STRIDE = 500;

/**
 * What a start has to catch up on: calls to lapse, receipts to index. Its time depends on the lines behind `since` and the number
 * of open calls, not on the record's length: which calls are open the spool knows from its checkpoint (see OpenCalls).
 */
export async function scanOpen(spool: OpenSpool, options: ScanOptions): Promise<Scan> {
  const upTo = spool.head().seq;
  const open: BeginEntry[] = [];
  for await (const { entry } of pick(spool, spool.openSeqs())) if (entry.kind === 'begin') open.push(entry);
  let sealed = 0;
  for await (const { seq, entry } of iterateFrom(spool, options.since + 1)) {
    if (entry.kind !== 'seal') continue;
    sealed += 1;
    await options.onSeal?.(seq, entry);
  }
  return { open, sealed, upTo };
}

/** Every line from `seq` to what is durable now, in order. */
export function iterateFrom(spool: OpenSpool, seq: number): AsyncIterable<StoredLine> {
  return spool.read(Math.max(1, seq));
}

/** The lines with these numbers (ascending). */
async function* pick(spool: OpenSpool, seqs: readonly number[]): AsyncGenerator<StoredLine> {
  for (let i = 0; i < seqs.length; ) {
    const from = seqs[i] as number;
    for await (const lines of spool.readMany(from)) {
      const [first, last] = [lines[0]?.seq ?? 0, lines.at(-1)?.seq ?? 0];
      for (; (seqs[i] ?? Number.POSITIVE_INFINITY) <= last; i += 1)
        yield lines[(seqs[i] as number) - first] as StoredLine;
      if ((seqs[i] ?? Number.POSITIVE_INFINITY) - last > STRIDE) break;
    }
  }
}
