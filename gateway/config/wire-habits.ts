import type { Dialect, Reading } from '../ports/dialect.ts';

/** Where a server that speaks a known language differs from who made it (meter.md 1.1, 1.3). */
export interface WireHabits {
  /**
   * `on_request`: a stream shows its usage only when it is asked to; `always`: unasked, and it refuses to be asked; `never`: not at
   * all, so that a stream is charged its hold
   */
  readonly usageInStream: 'on_request' | 'always' | 'never';
  /** the member a cap is written to where the caller wrote none; undefined: the language's own */
  readonly outputCap: string | undefined;
}

const CHAT_CAP = /^\/max_(?:completion_)?tokens$/;

/** The language as a server of such habits speaks it. */
export function withHabits(dialect: Dialect, { usageInStream, outputCap }: WireHabits): Dialect {
  if (usageInStream === 'on_request' && outputCap === undefined) return dialect;
  const adapt = (reading: Reading): Reading => ({
    ...reading,
    ...(usageInStream !== 'on_request' && {
      preparation: reading.preparation.filter(({ at }) => !at.startsWith('/stream_options')),
    }),
    ...(outputCap !== undefined &&
      reading.bound.outputCap === undefined &&
      CHAT_CAP.test(reading.cap.at) && { cap: { ...reading.cap, at: `/${outputCap}` } }),
  });
  return { ...dialect, read: (doc, bytes, headers, path) => adapt(dialect.read(doc, bytes, headers, path)) };
}
