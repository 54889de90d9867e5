import type { EpochMs, Nano } from './scalars.ts';

export const SCOPES = ['run', 'agent', 'human', 'key', 'tenant'] as const;
export type Scope = (typeof SCOPES)[number];

export const WINDOWS = ['minute', 'hour', 'day', 'month', 'total'] as const;
export type WindowKind = (typeof WINDOWS)[number];

/** One configured limit; it applies to every member of its scope separately. */
export interface Budget {
  readonly scope: Scope;
  readonly window: WindowKind;
  readonly limit: Nano;
  /** only members whose id matches this glob */
  readonly match?: string | undefined;
}

/** Where an account's window begins and ends (UTC); `total` never ends. */
export interface Window {
  readonly start: EpochMs;
  readonly end: EpochMs | undefined;
}

/** The calendar window of `kind` that holds `at`. */
export function windowAt(kind: WindowKind, at: EpochMs): Window {
  const date = new Date(at);
  const [y, m, d, h, min] = [
    date.getUTCFullYear(),
    date.getUTCMonth(),
    date.getUTCDate(),
    date.getUTCHours(),
    date.getUTCMinutes(),
  ];
  const span = (start: number, end: number): Window => ({ start: start as EpochMs, end: end as EpochMs });
  switch (kind) {
    case 'minute':
      return span(Date.UTC(y, m, d, h, min), Date.UTC(y, m, d, h, min + 1));
    case 'hour':
      return span(Date.UTC(y, m, d, h), Date.UTC(y, m, d, h + 1));
    case 'day':
      return span(Date.UTC(y, m, d), Date.UTC(y, m, d + 1));
    case 'month':
      return span(Date.UTC(y, m), Date.UTC(y, m + 1));
    case 'total':
      return { start: 0 as EpochMs, end: undefined };
  }
}
