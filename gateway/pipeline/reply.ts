/** Why `gone` was aborted where the gate itself closes: there is no time left to let the upstream finish. */
export const CLOSING = Symbol('the gate is closing');

/** The way back to the caller; the server implements it over the socket. */
export interface Reply {
  /** aborted when the caller has gone, or with the reason `CLOSING` when the gate is */
  readonly gone: AbortSignal;
  /** True once a head was sent: from then on only the stream can say something. */
  readonly started: boolean;
  head(status: number, headers: Readonly<Record<string, string | readonly string[]>>): void;
  /** Resolves when the caller can take more: a slow reader slows the upstream. */
  write(bytes: Uint8Array): Promise<void> | undefined;
  end(bytes?: Uint8Array): void;
  /** Breaks the connection: the caller must not take what it got for a whole answer. */
  cut(): void;
}
