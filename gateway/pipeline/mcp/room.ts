import type { McpAccess } from '../../ports/mcp-access.ts';
import type { McpNames } from '../../ports/mcp-names.ts';
import type { McpServer } from '../../ports/mcp-server.ts';
import type { McpWire, WireBounds } from '../../ports/mcp-wire.ts';
import type { Pins } from '../../ports/pins.ts';
import type { Sealer } from '../../ports/sealer.ts';
import type { Flights } from '../trust/flights.ts';
import type { IdleRuns } from './idle-runs.ts';
import type { ListListeners } from './list-listeners.ts';
import type { PendingRequests } from './pending-requests.ts';
import type { UnansweredCalls } from './unanswered-calls.ts';

/** An upstream MCP server with what the configuration says of it. */
export interface McpPeer {
  readonly server: McpServer;
  /** offered at the federated endpoint too */
  readonly federated: boolean;
}

export interface McpLimits {
  /** one message of a caller */
  readonly request: WireBounds;
  /** one message or event of a server */
  readonly message: WireBounds;
  readonly sessionMs: number;
  /** how often one logical call may ask for more input */
  readonly rounds: number;
}

/** What the MCP plane needs beside the gateway; frozen like it. */
export interface McpRoom {
  readonly wire: McpWire;
  readonly peers: ReadonlyMap<string, McpPeer>;
  readonly names: McpNames;
  readonly pins: Pins;
  /** lists that are being asked for on the gate's own account, by server and kind */
  readonly refreshes: Flights;
  readonly sealer: Sealer;
  readonly access: McpAccess;
  readonly pending: PendingRequests;
  readonly listeners: ListListeners;
  readonly unanswered: UnansweredCalls;
  readonly idleRuns: IdleRuns;
  readonly limits: McpLimits;
}
