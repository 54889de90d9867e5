import type { Log } from '../../ports/log.ts';
import type { SessionSettings } from '../mcp-session/link.ts';
import type { Command } from './child.ts';

/** How one stdio server is run. */
export interface StdioSettings extends SessionSettings {
  readonly command: Command;
  readonly era: 'auto' | 'legacy' | 'modern';
  /** who shares a process of a modern server; a legacy one always has one per session */
  readonly share: 'session' | 'principal' | 'everyone';
  readonly maxProcesses: number;
  /** most sessions of one principal */
  readonly maxPerPrincipal: number;
  /** how long a server may take to answer the probe of its era before it counts as legacy */
  readonly probeMs: number;
  readonly log: Log;
  /** takes secrets out of what a server writes to its log */
  readonly redact: (line: string) => string;
}
