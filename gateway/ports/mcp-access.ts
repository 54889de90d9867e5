import type { Fault } from '../domain/fault.ts';
import type { Arrival, Caller } from './identity.ts';

/** A caller of the MCP plane. */
export interface AdmittedCaller extends Caller {
  /** the caller's verified access token, for token exchange only; undefined where a gateway key was used */
  readonly subjectToken?: string | undefined;
  readonly scopes: readonly string[];
}

/** An endpoint as the caller addressed it: `/mcp` or `/mcp/<server>`, run prefix left out. */
export type McpEndpoint = string;

/** Who may knock at the MCP plane (mcp-plane.md 10). */
export interface McpAccess {
  /** Throws a Fault (`TG_FOREIGN_ORIGIN`) for an unknown Host, or a present Origin that is not on the list. Before anything else. */
  admit(arrival: Arrival): void;
  /**
   * A gateway key, or an access token for exactly this endpoint. Throws a Fault: `TG_NO_KEY`, `TG_BAD_KEY`, `TG_KEYS_UNAVAILABLE`, or
   * `TG_SCOPE` where the token is good and a scope is missing.
   */
  authenticate(arrival: Arrival, endpoint: McpEndpoint): Promise<AdmittedCaller>;
  /** The value of `WWW-Authenticate` for a refusal by `authenticate`. */
  challenge(fault: Fault, arrival: Arrival, endpoint: McpEndpoint): string | undefined;
  /** The protected resource metadata (RFC 9728) behind a path `/.well-known/oauth-protected-resource[/…]`; undefined: no such resource. */
  metadata(arrival: Arrival, path: string): string | undefined;
}
