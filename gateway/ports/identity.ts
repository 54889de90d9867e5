import type { Json } from '../domain/json.ts';
import type { Named, Principal } from '../domain/principal.ts';
import type { Headers } from './dialect.ts';

/** What is known about a request before its body is read. */
export interface Arrival {
  readonly method: string;
  /** as the caller wrote it, query included, run prefix still on it */
  readonly url: string;
  readonly headers: Headers;
  readonly ip: string;
}

/** What the run prefix of a path said (attribution.md 5). */
export interface PathLabels {
  readonly run?: string | undefined;
  readonly agent?: string | undefined;
}

/** Who holds the credential, before the run is known. */
export interface Caller {
  readonly tenant: Named;
  readonly human?: Named | undefined;
  /** the key's own agent, if a key was used */
  readonly agent?: Named | undefined;
  readonly key?: string | undefined;
  /** the key's own tags; a call says no others of the same names */
  readonly tags?: readonly string[] | undefined;
  /** the caller authenticated to the gate: its credential headers must not travel on */
  readonly ownsGatewayKey: boolean;
}

/** What the body adds to the names. */
export interface BodyNames {
  /** what the body asserts: `user`, `session`, `account` … */
  readonly asserted: Readonly<Record<string, string>>;
  /** the run its conversation continues, looked up only when nothing stronger names one */
  readonly infer: () => string | undefined;
  readonly freshRun: () => string;
}

/** What a client says of itself in the `_meta` of a JSON-RPC message; all asserted. */
export interface MetaNames {
  /** never empty */
  readonly session?: string;
  /** the id of the model's own call that this message carries out; never empty */
  readonly callId?: string;
}

export interface Identity {
  /** Throws a Fault: `TG_NO_KEY`, `TG_BAD_KEY` or `TG_KEYS_UNAVAILABLE`; never falls back to anonymous. */
  authenticate(arrival: Arrival, credentialHeaders: readonly string[]): Promise<Caller>;
  /** Names everything, each with source and assurance; the order is attribution.md 2. Throws a Fault (`TG_BAD_KEY`) where key and request disagree on the agent. */
  attribute(caller: Caller, arrival: Arrival, path: PathLabels, body: BodyNames): Principal;
  /** Names in the `_meta` of a JSON-RPC message, by whatever member its client uses (attribution.md 7). */
  metaNames(meta: Json | undefined): MetaNames;
}
