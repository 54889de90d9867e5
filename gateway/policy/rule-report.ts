import type { Where } from '../domain/source.ts';

/** Where the mistakes of one rule go. */
export interface RuleReport {
  at(field: readonly PropertyKey[], message: string, where?: Where): void;
  inside(field: readonly PropertyKey[], offset: number, message: string): void;
}
