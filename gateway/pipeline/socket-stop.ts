import type { Ending } from '../domain/receipt.ts';
import type { Saying } from '../ports/dialect.ts';

/** How a socket ends: what each side is told, and what becomes of calls under way. */
export interface Stop {
  readonly ending: Ending;
  readonly code: number;
  readonly reason: string;
  /** said before the goodbye */
  readonly saying?: Saying | undefined;
}

/** The gate closes. */
export const GOING: Stop = { ending: 'cut', code: 1001, reason: 'this gate is shutting down' };
