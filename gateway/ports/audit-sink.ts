import type { Writable } from 'node:stream';
import type { JsonObject } from '../domain/json.ts';
import type { StoredLine } from './spool.ts';

/** A place that receipts are shipped to, at least once and in order. */
export interface AuditSink {
  /** names its metrics and its cursor; unique among the configured sinks */
  readonly name: string;
  /**
   * Takes a batch; resolves when the sink has it for good, rejects where it must be sent again. Never called while an earlier call
   * is open. Settles soon after `signal` aborts, unless that could leave two writes of it under way.
   */
  send(lines: readonly StoredLine[], signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** What a sink may use of its surroundings. */
export interface SinkEnv {
  readonly stdout: Writable;
}

/** A kind of sink; it owns its options. */
export interface SinkKind {
  /** the configuration's word for it: `type: http` */
  readonly type: string;
  /** Throws a TypeError naming the option that is missing, unknown or wrong. Opens no connection yet. */
  open(options: JsonObject, env: SinkEnv): AuditSink;
}
