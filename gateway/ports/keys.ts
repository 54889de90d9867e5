import type { EpochMs } from '../domain/scalars.ts';

/** A gateway key's record. The key itself is stored only as a SHA-256 hash. */
export interface KeyRecord {
  readonly id: string;
  readonly tenant: string;
  readonly human?: string | undefined;
  readonly agent: string;
  /** what its calls are booked under besides, e.g. `team=red`; absent: nothing */
  readonly tags?: readonly string[] | undefined;
  readonly createdAt: EpochMs;
  readonly revokedAt?: EpochMs | undefined;
  readonly expiresAt?: EpochMs | undefined;
}

/** Throws a Fault (`TG_KEYS_UNAVAILABLE`) where the store does not answer. */
export interface Keys {
  /** By the hex SHA-256 of the whole key. */
  find(hash: string): Promise<KeyRecord | undefined>;
  add(hash: string, record: KeyRecord): Promise<void>;
  revoke(id: string, at: EpochMs): Promise<boolean>;
  list(): Promise<readonly KeyRecord[]>;
}
