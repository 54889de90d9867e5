import { z } from 'zod';
import { readIfThere, writeDurably } from './durable-file.ts';
import { type Place, START } from './line.ts';

const Saved = z.strictObject({ seq: z.int().nonnegative(), hash: z.string() });

/** How far a sink has the record. Throws an Error naming the file where it is unreadable: guessing could lose lines or repeat all. */
export async function readCursor(path: string): Promise<Place> {
  const text = await readIfThere(path);
  if (text === undefined) return START;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new Error(unreadable(path), { cause });
  }
  const saved = Saved.safeParse(value);
  if (!saved.success) throw new Error(unreadable(path), { cause: saved.error });
  return saved.data;
}

export function saveCursor(path: string, place: Place): Promise<void> {
  return writeDurably(path, `${JSON.stringify({ seq: place.seq, hash: place.hash })}\n`);
}

function unreadable(path: string): string {
  return `the cursor \`${path}\` is unreadable: delete it to ship the record from its start`;
}
