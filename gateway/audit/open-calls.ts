import { z } from 'zod';
import type { Entry } from '../domain/receipt.ts';
import { readIfThere, writeDurably } from './durable-file.ts';
import type { Place } from './line.ts';
import { type Segment, storedLines } from './segment.ts';

const Checkpoint = z.strictObject({
  seq: z.int().nonnegative(),
  hash: z.string(),
  open: z.array(z.tuple([z.string(), z.int().positive()])),
});

/**
 * Which calls have begun and are not sealed, by id, with the number of their begin line. A checkpoint of it is written whenever a
 * segment ends and on close, so that finding the open calls after a crash reads one or two segments and not the whole record. The
 * checkpoint is only a shortcut: where it is missing, unreadable or does not fit the chain, the record is read from its start.
 */
export class OpenCalls {
  readonly #path: string;
  readonly #open: Map<string, number>;

  private constructor(path: string, open: Map<string, number>) {
    this.#path = path;
    this.#open = open;
  }

  static async load(path: string, segments: readonly Segment[], head: Place): Promise<OpenCalls> {
    const point = await readCheckpoint(path, segments, head);
    const calls = new OpenCalls(path, new Map(point?.open));
    for await (const lines of storedLines(segments, (point?.seq ?? 0) + 1, head.seq)) {
      for (const line of lines) calls.#note(line.seq, line.call());
    }
    return calls;
  }

  see(seq: number, entry: Entry): void {
    if (entry.kind !== 'event') this.#note(seq, entry);
  }

  #note(seq: number, call: { readonly kind: 'begin' | 'seal'; readonly id: string } | undefined): void {
    if (call?.kind === 'begin') this.#open.set(call.id, seq);
    else if (call?.kind === 'seal') this.#open.delete(call.id);
  }

  /** The numbers of their begin lines, ascending. */
  seqs(): number[] {
    return [...this.#open.values()].sort((a, b) => a - b);
  }

  /** `at` is the place of the last line seen. */
  async save(at: Place): Promise<void> {
    const text = JSON.stringify({ seq: at.seq, hash: at.hash, open: [...this.#open] });
    await writeDurably(this.#path, `${text}\n`);
  }
}

async function readCheckpoint(path: string, segments: readonly Segment[], head: Place) {
  const text = await readIfThere(path);
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const point = Checkpoint.safeParse(value).data;
  if (point === undefined || point.seq > head.seq) return undefined;
  if (point.seq === 0) return point;
  for await (const [line] of storedLines(segments, point.seq, point.seq)) {
    if (line?.hash === point.hash) return point;
  }
  return undefined;
}
