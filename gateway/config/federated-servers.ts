import type { FederatedServer } from '../pipeline/trust/federated-names.ts';
import type { McpConfig } from './mcp-schema.ts';

/** The servers with what the file says about their names, in its order. */
export const federatedServers = ({ servers }: McpConfig): readonly FederatedServer[] =>
  Object.entries(servers).map(([server, { aliases, resources, federated }]) => ({
    server,
    aliases,
    resources,
    federated,
  }));
