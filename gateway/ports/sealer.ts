import type { EpochMs } from '../domain/scalars.ts';

/** What a handle is for; one kind never opens as another. */
export type SealKind = 'session' | 'state' | 'event' | 'task' | 'cursor' | 'request';

/**
 * Handles that are bound to their caller (mcp-plane.md 10): AEAD over kind, principal, upstream and expiry, visible ASCII, any replica
 * opens what another sealed. Sync; keys are derived once at start. Holding a handle authenticates nobody, and it is not single-use.
 */
export interface Sealer {
  seal(kind: SealKind, principalId: string, upstream: string, value: string, expiresAt: EpochMs): string;
  /** Undefined for anything but a handle of this kind, principal and upstream that has not expired: all refusals look alike. */
  open(kind: SealKind, principalId: string, upstream: string, token: string, now: EpochMs): string | undefined;
}
