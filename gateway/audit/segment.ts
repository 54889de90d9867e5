import type { FileHandle } from 'node:fs/promises';
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from '../domain/fault.ts';
import type { Entry } from '../domain/receipt.ts';
import type { StoredLine } from '../ports/spool.ts';
import { lineHead } from './line.ts';

/** One file of the record. */
export interface Segment {
  readonly path: string;
  readonly name: string;
  /** the `seq` of its first line */
  readonly first: number;
}

const NAME = /^spool-([0-9]{12,16})\.jsonl$/;
const NEWLINE = 10;
const BLOCK = 256 * 1024;
const PROBE = 4 * 1024;

export function segmentAt(folder: string, first: number): Segment {
  const name = `spool-${String(first).padStart(12, '0')}.jsonl`;
  return { path: join(folder, name), name, first };
}

/** The folder's segments, oldest first. */
export async function segmentsIn(folder: string): Promise<Segment[]> {
  const names = await readdir(folder);
  return names
    .flatMap((name) => {
      const match = NAME.exec(name);
      return match ? [{ path: join(folder, name), name, first: Number(match[1]) }] : [];
    })
    .sort((a, b) => a.first - b.first);
}

/** A run of whole lines, newlines included. */
export interface Block {
  readonly bytes: Buffer;
  /** where in the file `bytes` begins */
  readonly at: number;
}

/** The file's whole lines from `from` (a line's start) on, in blocks. Returns where they end: an unfinished line may follow. */
export async function* blocks(path: string, from: number): AsyncGenerator<Block, number> {
  const file = await open(path, 'r');
  try {
    let bytes = Buffer.allocUnsafe(BLOCK);
    let filled = 0;
    let at = from;
    for (;;) {
      const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, at + filled);
      filled += bytesRead;
      const end = filled === 0 ? 0 : bytes.lastIndexOf(NEWLINE, filled - 1) + 1;
      if (end === 0 && bytesRead === 0) return at;
      if (end === 0 && filled < bytes.length) continue;
      const next = Buffer.allocUnsafe(end === 0 ? bytes.length * 2 : BLOCK);
      bytes.copy(next, 0, end, filled);
      if (end > 0) yield { bytes: bytes.subarray(0, end), at };
      bytes = next;
      at += end;
      filled -= end;
    }
  } finally {
    await file.close();
  }
}

/** Calls `each` with the start and end (newline excluded) of every line of a block, until it returns false. */
export function eachLine(bytes: Buffer, each: (start: number, end: number) => boolean): void {
  for (let start = 0; start < bytes.length; ) {
    const end = bytes.indexOf(NEWLINE, start);
    if (!each(start, end)) return;
    start = end + 1;
  }
}

/** The first line that starts behind `at`, and its number; undefined where none starts before `to`. */
async function lineBehind(
  file: FileHandle,
  at: number,
  to: number,
): Promise<{ start: number; seq: number } | undefined> {
  for (let size = PROBE; ; size *= 4) {
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(size), 0, size, at);
    const start = buffer.subarray(0, bytesRead).indexOf(NEWLINE) + 1;
    const seq =
      start === 0
        ? undefined
        : /^\{"seq":([0-9]+),/.exec(buffer.toString('latin1', start, Math.min(bytesRead, start + 32)))?.[1];
    if (seq !== undefined) return { start: at + start, seq: Number(seq) };
    if (bytesRead < size || at + size >= to) return undefined;
  }
}

/** The start of a line at or a little before line `seq` of the segment, found by bisection. */
async function seek(segment: Segment, seq: number): Promise<number> {
  if (seq <= segment.first) return 0;
  const file = await open(segment.path, 'r');
  try {
    let low = 0;
    let high = (await file.stat()).size;
    while (high - low > BLOCK / 4) {
      const middle = Math.floor((low + high) / 2);
      const line = await lineBehind(file, middle, high);
      if (line !== undefined && line.seq <= seq) low = line.start;
      else high = middle;
    }
    return low;
  } finally {
    await file.close();
  }
}

const CALL = /"entry":\{"kind":"(begin|seal)","id":"([\w-]+)"/;
const CALL_WITHIN = 320;

/** A line that is decoded and parsed only as far as it is asked for. */
export class Stored implements StoredLine {
  readonly seq: number;
  readonly hash: string;
  readonly #bytes: Buffer;
  #text: string | undefined;
  #entry: Entry | undefined;

  constructor(seq: number, hash: string, bytes: Buffer) {
    this.seq = seq;
    this.hash = hash;
    this.#bytes = bytes;
  }

  get text(): string {
    this.#text ??= this.#bytes.toString('utf8');
    return this.#text;
  }

  get entry(): Entry {
    this.#entry ??= (JSON.parse(this.text) as { entry: Entry }).entry;
    return this.#entry;
  }

  /** The call that the line begins or seals; undefined for an event. */
  call(): { readonly kind: 'begin' | 'seal'; readonly id: string } | undefined {
    const match = CALL.exec(this.#bytes.toString('latin1', 0, CALL_WITHIN));
    if (match) return { kind: match[1] as 'begin' | 'seal', id: match[2] as string };
    return this.entry.kind === 'event' ? undefined : this.entry;
  }
}

/**
 * Lines `from` to `to` of the segments in order, in arrays of what one read brought. Entries are parsed when asked for. Throws a
 * Fault (`TG_RECORD_UNAVAILABLE`) where a line is missing or unreadable: no line is ever passed over.
 */
export async function* storedLines(segments: readonly Segment[], from: number, to: number): AsyncGenerator<Stored[]> {
  const begin = Math.max(
    0,
    segments.findLastIndex((segment) => segment.first <= from),
  );
  let next = Math.max(from, segments[begin]?.first ?? 1);
  for (const segment of segments.slice(begin)) {
    if (next > to) return;
    for await (const { bytes, at } of blocks(segment.path, await seek(segment, next))) {
      const lines: Stored[] = [];
      eachLine(bytes, (start, end) => {
        const head = lineHead(bytes, start, end);
        if (head === undefined || head.seq > next) throw damaged(segment, at + start, next);
        if (head.seq === next) {
          lines.push(new Stored(next, head.hash, bytes.subarray(start, end)));
          next += 1;
        }
        return next <= to;
      });
      if (lines.length > 0) yield lines;
      if (next > to) return;
    }
  }
  if (next <= to)
    throw new Fault('TG_RECORD_UNAVAILABLE', `line ${next} of the record is missing: run \`tollgate verify\``);
}

function damaged(segment: Segment, at: number, seq: number): Fault {
  const place = `line ${seq} is not at byte ${at} of \`${segment.path}\``;
  return new Fault('TG_RECORD_UNAVAILABLE', `the record is damaged, ${place}: run \`tollgate verify\``);
}
