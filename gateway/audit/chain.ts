import { stat } from 'node:fs/promises';
import { follow, type Place, START } from './line.ts';
import { blocks, eachLine, type Segment, segmentsIn } from './segment.ts';

export interface ChainOptions {
  /** a place that the record once had, kept elsewhere: without it, lines missing at the end cannot be noticed */
  readonly head?: Place | undefined;
  /** the place before the first line, where older segments were put away: without it the record must begin with line 1 */
  readonly before?: Place | undefined;
}

export type ChainReport =
  | {
      readonly ok: true;
      readonly lines: number;
      /** 0 where there are no lines */
      readonly firstSeq: number;
      readonly head: Place;
      /** bytes behind the last line: it is being written right now, or was when the gate died */
      readonly unfinished: number;
    }
  | {
      readonly ok: false;
      /** the segment's name, or the folder */
      readonly file: string;
      /** counted from 1 in that file; 0 where it is about the file as a whole */
      readonly line: number;
      /** the number that the line there should have */
      readonly seq: number;
      readonly problem: string;
    };

/**
 * Verifies every line of the record in `folder` against the one before it, reading each byte once. Takes no lock: it can run beside
 * a gate that writes. Rejects with the system's error where the folder or a file cannot be read.
 */
export async function verifyChain(folder: string, options: ChainOptions = {}): Promise<ChainReport> {
  const before = options.before ?? START;
  const walk = new Walk(before, options.head);
  const segments = await segmentsIn(folder);
  let unfinished = 0;
  for (const [i, segment] of segments.entries()) {
    const next = walk.head.seq + 1;
    if (segment.first !== next)
      return bad(
        segment.name,
        0,
        next,
        `${missing(next, segment.first)}, the file says it begins with line ${segment.first}`,
      );
    const { line, problem, rest } = await walk.through(segment);
    if (problem !== undefined) return bad(segment.name, line, walk.head.seq + 1, problem);
    if (rest > 0 && i < segments.length - 1)
      return bad(segment.name, line + 1, walk.head.seq + 1, 'the line is incomplete');
    unfinished = rest;
  }
  const { head } = walk;
  if (options.head !== undefined && head.seq < options.head.seq) {
    return bad(
      segments.at(-1)?.name ?? folder,
      0,
      head.seq + 1,
      `${missing(head.seq + 1, options.head.seq + 1)}, cut off at the end`,
    );
  }
  return {
    ok: true,
    lines: head.seq - before.seq,
    firstSeq: head.seq > before.seq ? before.seq + 1 : 0,
    head,
    unfinished,
  };
}

function bad(file: string, line: number, seq: number, problem: string): ChainReport {
  return { ok: false, file, line, seq, problem };
}

function missing(from: number, to: number): string {
  if (to <= from) return `line ${from} should come next`;
  return to - from === 1 ? `line ${from} is missing` : `lines ${from} to ${to - 1} are missing`;
}

class Walk {
  head: Place;
  readonly #expected: Place | undefined;

  constructor(before: Place, expected: Place | undefined) {
    this.head = before;
    this.#expected = expected;
  }

  /** The number of good lines, or of the bad one with its problem, and the bytes behind the last whole line. */
  async through(segment: Segment): Promise<{ line: number; problem?: string; rest: number }> {
    let line = 0;
    let end = 0;
    let problem: string | undefined;
    for await (const { bytes, at } of blocks(segment.path, 0)) {
      eachLine(bytes, (start, stop) => {
        line += 1;
        problem = this.#step(bytes, start, stop);
        return problem === undefined;
      });
      if (problem !== undefined) return { line, problem, rest: 0 };
      end = at + bytes.length;
    }
    return { line, rest: Math.max(0, (await stat(segment.path)).size - end) };
  }

  #step(bytes: Buffer, start: number, stop: number): string | undefined {
    const place = follow(this.head, bytes, start, stop);
    if (typeof place === 'string') return place;
    this.head = place;
    const expected = this.#expected;
    if (expected?.seq === place.seq && expected.hash !== place.hash)
      return 'it is another line than the one that was vouched for';
    return undefined;
  }
}
