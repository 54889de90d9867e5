import type { Principal } from '../../domain/principal.ts';
import type { Arrival } from '../../ports/identity.ts';
import type { AdmittedCaller } from '../../ports/mcp-access.ts';
import type { McpCaller } from '../../ports/mcp-server.ts';
import type { RunSpace } from '../../ports/runs.ts';
import type { Noses } from '../detect.ts';
import type { Gateway } from '../gateway.ts';
import type { Proposal } from '../proposals.ts';
import type { Reply } from '../reply.ts';
import type { Trail } from '../trail.ts';
import type { McpAddress } from './address.ts';
import type { McpPeer, McpRoom } from './room.ts';

/** One HTTP request on the MCP plane whose caller is known. */
export interface Visit {
  readonly gate: Gateway;
  readonly room: McpRoom;
  readonly noses: Noses;
  readonly trail: Trail;
  readonly reply: Reply;
  readonly arrival: Arrival;
  readonly address: McpAddress;
  readonly caller: AdmittedCaller;
  readonly space: RunSpace;
  /** what handles and processes are bound to */
  readonly principalId: string;
}

/** A visit to one server, its names given. */
export interface Errand {
  readonly visit: Visit;
  readonly peer: McpPeer;
  readonly principal: Principal;
  readonly session: OpenSession | undefined;
  /** the model's proposal that is carried out; absent: none was seen */
  readonly proposal?: Proposal;
}

/** A legacy session as its seal holds it. */
export interface OpenSession {
  /** the handle the caller shows */
  readonly handle: string;
  /** the server's own id */
  readonly upstream: string;
  /** the negotiated protocol version; '' where the server named none */
  readonly version: string;
  readonly run: string;
}

/** Who a handle is bound to: tenant, and key or person. Never a name the caller gives itself. */
export const principalIdOf = ({ tenant, key, human }: AdmittedCaller): string =>
  JSON.stringify([tenant.id, key ?? 'open', key === undefined ? (human?.id ?? '') : '']);

export const callerOf = ({ principalId, caller }: Visit): McpCaller => ({
  principalId,
  ...(caller.subjectToken !== undefined && { subjectToken: caller.subjectToken }),
});
