/** A value of `T` that only its own constructor may make: `Brand<bigint, 'Nano'>` is not any other bigint. */
export type Brand<T, Name extends string> = T & { readonly __brand: Name };

/** Nano-dollars (10⁻⁹ USD), a whole number: the unit of every ledger amount. */
export type Nano = Brand<bigint, 'Nano'>;
/** Picodollars (10⁻¹² USD), a whole number: the unit of a price per token. */
export type Pico = Brand<bigint, 'Pico'>;
/** Milliseconds since the Unix epoch, UTC. */
export type EpochMs = Brand<number, 'EpochMs'>;
/** `sha256:` and 64 hex digits. */
export type Digest = Brand<string, 'Digest'>;
/** Our id of one exchange: `call_` and 26 characters, sortable by time. */
export type CallId = Brand<string, 'CallId'>;

export const nano = (value: bigint): Nano => value as Nano;
export const pico = (value: bigint): Pico => value as Pico;
export const epochMs = (value: number): EpochMs => value as EpochMs;
