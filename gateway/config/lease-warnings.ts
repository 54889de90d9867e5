import { budgetsOf, ratesOf } from './gate-terms.ts';
import type { LoadedConfig } from './load.ts';

const SHORT_MS = 10_000;

/** What is allowed and hardly meant about `store.lease_ms`, for `tollgate check`; empty where no money is leased. */
export function leaseWarnings(config: LoadedConfig): string[] {
  const ms = config.store?.lease_ms ?? 0;
  if (ms === 0) return [];
  const warnings: string[] = [];
  if (budgetsOf(config).length === 0)
    warnings.push('`store.lease_ms` leases nothing: no budget has a `limit_usd`; leave it out');
  else if (ratesOf(config).length > 0)
    warnings.push(
      '`store.lease_ms` saves no question for calls that count against `limit_requests` or `limit_tokens`: a rate is counted in one place',
    );
  if (ms < SHORT_MS)
    warnings.push(
      `\`store.lease_ms: ${ms}\` is shorter than most model calls, and a call that outlasts its lease asks once more; 30000 to 60000 suits most`,
    );
  return warnings;
}
