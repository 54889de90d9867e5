import type { Fault } from '../domain/fault.ts';
import type { Call } from '../pipeline/exchange.ts';
import { isMcpUrl } from '../pipeline/mcp/address.ts';
import type { McpRoom } from '../pipeline/mcp/room.ts';
import type { Reply } from '../pipeline/reply.ts';

const WELL_KNOWN = '/.well-known/oauth-protected-resource';

/** What is behind the MCP plane's part of the data door. */
export interface McpDoorOptions {
  readonly room: McpRoom;
  readonly exchange: (call: Call, reply: Reply) => Promise<void>;
  readonly turnAway: (call: Call, reply: Reply, fault: Fault) => Promise<void>;
}

/** The MCP plane's part of the data door. */
export interface McpDoor extends McpDoorOptions {
  /** True for what the plane answers: its endpoints and the metadata that points to them. */
  serves(url: string): boolean;
}

export function openMcpDoor(options: McpDoorOptions): McpDoor {
  const { room } = options;
  return {
    ...options,
    serves: (url) => isMcpUrl(url) || url.startsWith(WELL_KNOWN),
    async exchange(call, reply) {
      const path = call.arrival.url.split('?')[0] as string;
      const known = path.startsWith(WELL_KNOWN) ? room.access.metadata(call.arrival, path) : undefined;
      if (known === undefined || call.arrival.method !== 'GET') return options.exchange(call, reply);
      const body = new TextEncoder().encode(known);
      reply.head(200, { 'content-type': 'application/json', 'content-length': String(body.length) });
      reply.end(body);
    },
  };
}
