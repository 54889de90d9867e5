/** What an authorization server says of itself (RFC 8414), as far as the gate uses it. */
export interface IssuerMetadata {
  /** equal to the configured one, byte for byte */
  readonly issuer: string;
  readonly jwksUri: string | undefined;
  readonly tokenEndpoint: string | undefined;
}

/**
 * Reads an issuer's metadata; remembered for a while. Throws a Fault (`TG_UPSTREAM_UNREACHABLE`) where it cannot be had or is another
 * issuer's.
 */
export type ReadIssuer = (issuer: string) => Promise<IssuerMetadata>;
