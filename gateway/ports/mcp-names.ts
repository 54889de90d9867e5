/** A tool or prompt as its server calls it. */
export interface ServerName {
  /** our configured key */
  readonly server: string;
  readonly name: string;
}

/** Names on the federated endpoint (mcp-plane.md 7): `<server>__<tool>`, or a configured alias. Pure; built once from the configuration. */
export interface McpNames {
  /** Undefined: the name does not fit `^[A-Za-z0-9_-]{1,64}$` and has no alias; it is hidden and reported, never truncated. */
  expose(server: string, name: string): string | undefined;
  /** Undefined: no configured server owns such a name. Whether the tool exists is the pins' business. */
  resolve(exposed: string): ServerName | undefined;
  /** The server that owns this resource URI by its declared prefixes; `ambiguous` where two do. */
  ownerOf(uri: string): string | 'ambiguous' | undefined;
}
