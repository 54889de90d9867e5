import type { SealEntry } from '../domain/receipt.ts';
import type { CallId, EpochMs, Nano } from '../domain/scalars.ts';

export interface CallQuery {
  readonly run?: string | undefined;
  readonly limit: number;
}

export interface RunSummary {
  readonly id: string;
  readonly tenant: string;
  readonly key?: string | undefined;
  readonly human?: string | undefined;
  readonly agent: string;
  readonly calls: number;
  readonly steps: number;
  readonly cost: Nano;
  readonly firstAt: EpochMs;
  readonly lastAt: EpochMs;
}

/** The index over sealed receipts; rebuilt from the spool, never the truth. */
export interface Calls {
  /** Idempotent on the receipt's id. `seq` is its place in the spool, `json` its exact text there where it is at hand. */
  add(seq: number, receipt: SealEntry, json?: string): void;
  /** Everything added so far is on its way to disk. */
  flush(): Promise<void>;
  /** The highest `seq` that is safely in the index; 0 where none is. */
  indexedTo(): number;
  /** The receipt of one call. */
  find(id: CallId): SealEntry | undefined;
  /** Newest first. */
  list(query: CallQuery): readonly SealEntry[];
  runs(limit: number): readonly RunSummary[];
  /** A run's receipts, oldest first. An id that several keys use gives the newest run's. */
  run(id: string): { readonly summary: RunSummary; readonly receipts: readonly SealEntry[] } | undefined;
}
