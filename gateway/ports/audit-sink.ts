import type { SpoolLine } from './spool.ts';

/** A place that receipts are shipped to, at least once and in order. */
export interface AuditSink {
  readonly name: string;
  /** Takes a batch; resolves when the sink has it for good, rejects where it must be sent again. */
  send(lines: readonly SpoolLine[], signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}
