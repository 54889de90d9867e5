import type { EpochMs, Nano } from './scalars.ts';

export const SCOPES = ['run', 'agent', 'human', 'key', 'tenant', 'model', 'tool', 'tag'] as const;
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

export const RATE_UNITS = ['requests', 'tokens'] as const;
export type RateUnit = (typeof RATE_UNITS)[number];

/** One configured rate: at most `limit` in any stretch of time as long as the window, for every member of its scope separately. */
export interface Rate {
  readonly scope: Scope;
  readonly window: Exclude<WindowKind, 'total'>;
  readonly unit: RateUnit;
  readonly limit: number;
  readonly match?: string | undefined;
}

const DAY_MS = 86_400_000;

/** How long a rate looks back, in ms; a month is 30 days. */
export const RATE_MS: Readonly<Record<Rate['window'], number>> = {
  minute: 60_000,
  hour: 3_600_000,
  day: DAY_MS,
  month: 30 * DAY_MS,
};

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
