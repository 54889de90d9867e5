import type { Entry } from '../domain/receipt.ts';

export interface SpoolLine {
  readonly seq: number;
  /** hex SHA-256 over the line before and this entry */
  readonly hash: string;
  readonly entry: Entry;
}

/** A line read back from the record. */
export interface StoredLine extends SpoolLine {
  /** exactly as it stands in the record, without its newline: whoever holds all texts can verify the chain */
  readonly text: string;
}

/** `now`: something waits for it; `soon`: it may wait a few milliseconds to share a sync with others. `now` unless told. */
export type Urgency = 'now' | 'soon';

/** The append-only, hash-chained record. */
export interface Spool {
  /** Resolves once the line is on disk. Rejects with a Fault (`TG_RECORD_UNAVAILABLE`) where it can't be; then it is not in the chain. */
  append(entry: Entry, when?: Urgency): Promise<SpoolLine>;
  /** Lines from `seq` on, in order. */
  read(fromSeq: number): AsyncIterable<SpoolLine>;
  /** The last durable line's place; 0 where there is none. */
  head(): { readonly seq: number; readonly hash: string };
  /** Called with every line once it is durable, in order, and with its entry's exact JSON. Returns how to stop. */
  subscribe(listener: (line: SpoolLine, json: string) => void): () => void;
  /** False after a write failed; true again once one went through. */
  healthy(): boolean;
  close(): Promise<void>;
}
