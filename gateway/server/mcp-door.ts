import type { Fault } from '../domain/fault.ts';
import type { Call } from '../pipeline/exchange.ts';
import { isMcpUrl } from '../pipeline/mcp/address.ts';
import type { McpRoom } from '../pipeline/mcp/room.ts';
import { CLOSING, type Reply } from '../pipeline/reply.ts';
import { answerPreflight, readableBy } from './cors.ts';
import { McpSseDoor } from './mcp-sse-door.ts';
import { ReplyThrough } from './reply-through.ts';

const WELL_KNOWN = '/.well-known/oauth-protected-resource';

/** What is behind the MCP plane's part of the data door. */
export interface McpDoorOptions {
  readonly room: McpRoom;
  readonly exchange: (call: Call, reply: Reply) => Promise<void>;
  readonly turnAway: (call: Call, reply: Reply, fault: Fault) => Promise<void>;
  /** serve the transport of 2024-11-05 as well, at `/mcp/<server>/sse` */
  readonly sseLegacy: boolean;
  readonly keepAliveMs: number;
  readonly onError: (error: unknown) => void;
}

/** The MCP plane's part of the data door. */
export interface McpDoor extends McpDoorOptions {
  /** True for what the plane answers: its endpoints and the metadata that points to them. */
  serves(url: string): boolean;
  /** The gate is going: streams that are only listened to end now, so that nobody waits for them. */
  closeListening(): void;
}

export function openMcpDoor(options: McpDoorOptions): McpDoor {
  const { room } = options;
  const closing = new AbortController();
  const exchange = async (call: Call, reply: Reply): Promise<void> => {
    if (call.arrival.method !== 'GET') return options.exchange(call, reply);
    await options.exchange(call, listenerOf(reply, closing.signal));
    if (closing.signal.aborted) reply.end();
  };
  const sse = options.sseLegacy ? new McpSseDoor({ ...options, exchange }) : undefined;
  const enter = async (call: Call, reply: Reply): Promise<void> => {
    const { method, url } = call.arrival;
    if (sse?.serves(url)) return sse.exchange(call, method === 'GET' ? listenerOf(reply, closing.signal) : reply);
    const path = url.split('?')[0] as string;
    const known = path.startsWith(WELL_KNOWN) ? room.access.metadata(call.arrival, path) : undefined;
    if (known === undefined || method !== 'GET') return exchange(call, reply);
    const body = new TextEncoder().encode(known);
    reply.head(200, { 'content-type': 'application/json', 'content-length': String(body.length) });
    reply.end(body);
  };
  return {
    ...options,
    serves: (url) => isMcpUrl(url) || url.startsWith(WELL_KNOWN),
    closeListening: () => closing.abort(CLOSING),
    async exchange(call, reply) {
      const origin = pageOf(room, call);
      if (origin === undefined) return enter(call, reply);
      const { 'access-control-request-method': asksFor, 'access-control-request-headers': names } =
        call.arrival.headers;
      if (call.arrival.method !== 'OPTIONS' || asksFor === undefined) return enter(call, readableBy(reply, origin));
      return answerPreflight(reply, origin, typeof names === 'string' ? names : undefined);
    },
  };
}

/** The origin of the web page that calls, where it may; a page that may not is refused in the corridor like everyone else. */
function pageOf(room: McpRoom, { arrival }: Call): string | undefined {
  const { origin } = arrival.headers;
  if (typeof origin !== 'string') return undefined;
  try {
    room.access.admit(arrival);
    return origin;
  } catch {
    return undefined;
  }
}

/** The way back to who only listens: for him the gate is gone as soon as it begins to close. */
const listenerOf = (reply: Reply, closing: AbortSignal): Reply =>
  new ReplyThrough(reply, AbortSignal.any([reply.gone, closing]));
