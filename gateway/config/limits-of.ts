import type { Limits } from '../pipeline/gateway.ts';
import type { LoadedConfig } from './load.ts';

const MEGA = 1024 * 1024;

/** The configured limits in the units the corridor counts in. */
export function limitsOf({ limits }: LoadedConfig): Limits {
  return {
    requestBytes: limits.request_mb * MEGA,
    replyBytes: limits.reply_mb * MEGA,
    minUseful: limits.min_useful_tokens,
    leaseMs: limits.lease_s * 1000,
    keepAliveMs: limits.keep_alive_s * 1000,
    onAbort: limits.on_abort,
    drainMs: limits.drain_s * 1000,
    drainBytes: limits.drain_mb * MEGA,
  };
}
