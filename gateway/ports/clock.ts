import type { CallId, EpochMs } from '../domain/scalars.ts';

export interface Clock {
  /** Wall time, never going backwards inside one process. */
  now(): EpochMs;
  /** Milliseconds from an arbitrary start, for durations. */
  ticks(): number;
}

/** Makes ids that no other gateway makes. */
export interface Ids {
  call(): CallId;
  run(): string;
  key(): string;
}
