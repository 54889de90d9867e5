import type { EpochMs } from '../domain/scalars.ts';
import type { PinKind } from './pins.ts';

/** What a pin is about: one thing that one server offers. */
export interface PinKey {
  readonly server: string;
  readonly kind: PinKind;
  readonly name: string;
}

/** A definition that is trusted. */
export interface Trusted extends PinKey {
  /** hex SHA-256 of the pinned canonical text */
  readonly hash: string;
  /** hex SHA-256 of everything else; '' where it is not known */
  readonly beside: string;
  /** the pinned canonical text; undefined where only the hash was kept */
  readonly text?: string | undefined;
  readonly at: EpochMs;
  /** the person, or `first use` */
  readonly by: string;
}

/** A definition as its server's last list had it. */
export interface Shown extends PinKey {
  readonly hash: string;
  readonly beside: string;
  readonly text: string;
  /** when it was first shown so */
  readonly at: EpochMs;
  readonly state: 'approved' | 'waiting' | 'quarantined';
  /** why it is not approved, else '' */
  readonly why: string;
  /** what detectors and checks saw, by kind and place: `injection.override at /description` */
  readonly suspicions: readonly string[];
}

/**
 * What servers show and what was taken on first use, kept over restarts. Durable when a call returns. Every method throws a Fault
 * (`TG_PINS_UNAVAILABLE`) where the store does not answer.
 */
export interface PinStore {
  /** True where another process has changed something since the last time this was asked. */
  changed(): boolean;
  shown(): readonly Shown[];
  /** The last word on each key; the one before is replaced. */
  show(rows: readonly Shown[]): void;
  /** Pins taken on first use, those taken back included. */
  trusted(): readonly (Trusted & { readonly revoked: boolean })[];
  trust(rows: readonly Trusted[]): void;
  /** Takes back every pin of a key, and remembers that it was not new: first use does not trust it again. */
  revoke(key: PinKey, at: EpochMs): void;
}

/** The lock file: what people approved, under version control. */
export interface PinLock {
  /** Where it is, for messages. */
  readonly path: string;
  /** True where the file is another one than at the last `read`. */
  changed(): boolean;
  /** Everything it approves; empty where there is no file. Throws a Fault (`TG_PINS_UNAVAILABLE`) that says line and mistake. */
  read(): readonly Trusted[];
}
