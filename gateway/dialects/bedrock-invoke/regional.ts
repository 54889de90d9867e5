import type { Usage } from '../../domain/usage.ts';
import type { Reading } from '../../ports/dialect.ts';

/** The usage as served where the path asked for it: the native reply does not say so. */
export function regional(usage: Usage, reading: Reading | undefined): Usage {
  const region = reading?.bound.region;
  if (region === undefined) return usage;
  return { ...usage, entries: usage.entries.map((entry) => ({ ...entry, region })) };
}
