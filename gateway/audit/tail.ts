import { open, stat } from 'node:fs/promises';
import { Fault } from '../domain/fault.ts';
import { follow, lineHead, type Place, START } from './line.ts';
import { blocks, eachLine, type Segment } from './segment.ts';

/** What a crash in mid-write left behind the last whole line, and where it was put. No call was ever told that it was recorded. */
export interface Torn {
  readonly file: string;
  /** where in the file it began */
  readonly offset: number;
  readonly bytes: number;
  /** the file that now holds it */
  readonly saved: string;
}

/** Where the record goes on. */
export interface Tail {
  readonly head: Place;
  /** bytes of the last segment that belong to the record */
  readonly size: number;
  readonly torn: Torn | undefined;
}

/**
 * Verifies the last segment against the line before it and cuts off what a crash left unfinished. Throws a Fault
 * (`TG_RECORD_UNAVAILABLE`) where anything else is wrong with it: lines that may have been acknowledged are never cut.
 */
export async function openTail(segments: readonly Segment[]): Promise<Tail> {
  const last = segments.at(-1);
  if (last === undefined) return { head: START, size: 0, torn: undefined };
  const before = await lastPlace(segments.slice(0, -1));
  if (last.first !== before.seq + 1) throw damaged(last, 1, `it should begin with line ${before.seq + 1}`);
  const { head, size, problem } = await walk(last, before);
  const left = (await stat(last.path)).size - size;
  if (left === 0) return { head, size, torn: undefined };
  if (problem !== undefined) throw damaged(last, head.seq - before.seq + 1, problem);
  return { head, size, torn: await cutOff(last, size, left) };
}

async function walk(segment: Segment, before: Place): Promise<{ head: Place; size: number; problem?: string }> {
  let head = before;
  let size = 0;
  let problem: string | undefined;
  for await (const { bytes } of blocks(segment.path, 0)) {
    eachLine(bytes, (start, end) => {
      const place = follow(head, bytes, start, end);
      if (typeof place !== 'string') {
        head = place;
        size += end + 1 - start;
        return true;
      }
      // A NUL never occurs in JSON: a block that the disk was asked for and never got, so no line from here on was acknowledged.
      problem = bytes.subarray(start, end).includes(0) ? '' : place;
      return false;
    });
    if (problem !== undefined) break;
  }
  return problem ? { head, size, problem } : { head, size };
}

/** The place of the last line of the segments; they end with a whole line, for the next was begun only once it was durable. */
async function lastPlace(segments: readonly Segment[]): Promise<Place> {
  const segment = segments.at(-1);
  if (segment === undefined) return START;
  const file = await open(segment.path, 'r');
  try {
    const { size } = await file.stat();
    for (let length = Math.min(size, 64 * 1024); ; length = Math.min(size, length * 4)) {
      const bytes = Buffer.alloc(length);
      await file.read(bytes, 0, length, size - length);
      const start = length < 2 ? -1 : bytes.lastIndexOf(10, length - 2) + 1;
      if (start > 0 || length === size) {
        const head = start >= 0 && bytes[length - 1] === 10 ? lineHead(bytes, start, length - 1) : undefined;
        if (head === undefined) throw damaged(segment, undefined, 'its last line is incomplete');
        return head;
      }
    }
  } finally {
    await file.close();
  }
}

async function cutOff(segment: Segment, offset: number, length: number): Promise<Torn> {
  const saved = `${segment.path}.torn-${offset}`;
  const file = await open(segment.path, 'r+');
  try {
    const copy = await open(saved, 'w', 0o600);
    try {
      const bytes = Buffer.alloc(64 * 1024);
      for (let done = 0; done < length; ) {
        const { bytesRead } = await file.read(bytes, 0, Math.min(bytes.length, length - done), offset + done);
        if (bytesRead === 0) break;
        await copy.write(bytes, 0, bytesRead);
        done += bytesRead;
      }
      await copy.sync();
    } finally {
      await copy.close();
    }
    await file.truncate(offset);
    await file.sync();
  } finally {
    await file.close();
  }
  return { file: segment.path, offset, bytes: length, saved };
}

function damaged(segment: Segment, line: number | undefined, problem: string): Fault {
  const place = line === undefined ? `\`${segment.path}\`` : `\`${segment.path}\` line ${line}`;
  return new Fault(
    'TG_RECORD_UNAVAILABLE',
    `the record is damaged, ${place}: ${problem}; run \`tollgate verify\`, then restore the file or move the folder away`,
  );
}
