import { hash as digest } from 'node:crypto';

/**
 * The line format of the record. Wire-visible: an auditor can verify it with any SHA-256 and no JSON parser of ours.
 *
 *     {"seq":N,"prev":"<64 hex>","hash":"<64 hex>","entry":<entry>}\n
 *
 * One line each, UTF-8, no space outside `<entry>`, members in exactly this order. `seq` counts from 1 without a gap. `prev` is the
 * `hash` of the line before, 64 zeros for line 1. `hash` is the lower-case hex SHA-256 over the bytes
 *
 *     <prev> 0x0A <seq in decimal> 0x0A <entry, exactly as it stands in the line>
 *
 * so a verifier never re-serialises anything. Lines live in segments named `spool-<seq of the first line, 12 digits>.jsonl`.
 */
const GENESIS = '0'.repeat(64);

/** A place in the chain: a line's number and hash; `{seq: 0, hash: GENESIS}` before the first line. */
export interface Place {
  readonly seq: number;
  readonly hash: string;
}

export const START: Place = { seq: 0, hash: GENESIS };

/** The hash of the line that follows `before` and holds the entry `text`. */
export function lineHash(before: Place, text: string): string {
  return digest('sha256', `${before.hash}\n${before.seq + 1}\n${text}`, 'hex');
}

/** The line that follows `before`, its newline included. */
export function lineText(before: Place, hash: string, text: string): string {
  return `{"seq":${before.seq + 1},"prev":"${before.hash}","hash":"${hash}","entry":${text}}\n`;
}

/** What stands before the entry, and where in the buffer the entry's bytes are. */
export interface LineHead {
  readonly seq: number;
  readonly prev: string;
  readonly hash: string;
  readonly entryStart: number;
  readonly entryEnd: number;
}

const HEAD = /^\{"seq":([1-9][0-9]{0,15}),"prev":"([0-9a-f]{64})","hash":"([0-9a-f]{64})","entry":/;
const HEAD_MAX = 192;
const CLOSE = 125;

/** Reads the line in `bytes` [start, end), newline excluded; undefined where it is not in the format. Verifies nothing. */
export function lineHead(bytes: Buffer, start: number, end: number): LineHead | undefined {
  const match = HEAD.exec(bytes.toString('latin1', start, Math.min(end, start + HEAD_MAX)));
  if (match === null || bytes[end - 1] !== CLOSE) return undefined;
  const [all, seq, prev, hash] = match as unknown as [string, string, string, string];
  if (start + all.length >= end - 1) return undefined;
  return { seq: Number(seq), prev, hash, entryStart: start + all.length, entryEnd: end - 1 };
}

let scratch = Buffer.allocUnsafe(64 * 1024);

/** The hash that a line's own bytes call for, whatever it states. */
function hashOfBytes(bytes: Buffer, head: LineHead): string {
  const lead = `${head.prev}\n${head.seq}\n`;
  const length = lead.length + head.entryEnd - head.entryStart;
  if (scratch.length < length) scratch = Buffer.allocUnsafe(length * 2);
  scratch.write(lead, 'latin1');
  bytes.copy(scratch, lead.length, head.entryStart, head.entryEnd);
  return digest('sha256', scratch.subarray(0, length), 'hex');
}

/** Why the line in `bytes` [start, end) is not the one that follows `before`, or its place where it is. */
export function follow(before: Place, bytes: Buffer, start: number, end: number): Place | string {
  const head = lineHead(bytes, start, end);
  if (head === undefined) return 'not a line of the record';
  if (head.seq !== before.seq + 1) return `line number ${head.seq} where ${before.seq + 1} should be`;
  if (head.prev !== before.hash) return 'does not continue the line before it';
  if (hashOfBytes(bytes, head) !== head.hash) return 'its content does not match its hash';
  return { seq: head.seq, hash: head.hash };
}
