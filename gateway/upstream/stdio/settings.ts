import type { Log } from '../../ports/log.ts';
import type { Command } from './child.ts';

/** What went wrong with a server process that nobody may miss; `detail` holds no content. */
export type Incident = (
  name: 'mcp.unreadable' | 'mcp.unasked' | 'mcp.refused_request' | 'mcp.undelivered' | 'mcp.ended',
  detail: Readonly<Record<string, string | number>>,
) => void;

/** How one stdio server is run. */
export interface StdioSettings {
  /** our configured key */
  readonly name: string;
  readonly command: Command;
  readonly era: 'auto' | 'legacy' | 'modern';
  /** who shares a process of a modern server; a legacy one always has one per session */
  readonly share: 'session' | 'principal' | 'everyone';
  /** a process that nothing was asked of for so long is ended */
  readonly idleMs: number;
  /** a longer message of the server is refused */
  readonly messageBytes: number;
  readonly maxProcesses: number;
  /** how long a server may take to answer the probe of its era before it counts as legacy */
  readonly probeMs: number;
  /** how long the answer may take before it is sent as a stream rather than as JSON */
  readonly patienceMs: number;
  readonly log: Log;
  readonly incident: Incident;
  /** takes secrets out of what a server writes to its log */
  readonly redact: (line: string) => string;
  /** milliseconds from an arbitrary start */
  readonly ticks: () => number;
}
