import { Fault } from '../../domain/fault.ts';
import type { PathLabels } from '../../ports/identity.ts';
import { runPrefix } from '../claim.ts';

/** Where on the plane a caller knocks. */
export interface McpAddress {
  readonly labels: PathLabels;
  /** undefined: the federated endpoint */
  readonly server: string | undefined;
  /** `/mcp` or `/mcp/<server>`: what tokens are for */
  readonly endpoint: string;
}

const MCP_PATH = /^(?:\/run\/[^/]+(?:\/agent\/[^/]+)?)?\/mcp(?=\/|\?|$)/;

/** True where a URL is the MCP plane's. */
export const isMcpUrl = (url: string): boolean => MCP_PATH.test(url);

/** Reads `/mcp`, `/mcp/<server>` and the same behind a run prefix. Throws a Fault for anything further down. */
export function addressOf(url: string, servers: readonly string[]): McpAddress {
  const query = url.indexOf('?');
  const { labels, rest } = runPrefix(query === -1 ? url : url.slice(0, query));
  const [, , server = '', ...more] = rest.split('/');
  if (server === '' && more.length === 0) return { labels, server: undefined, endpoint: '/mcp' };
  if (more.length === 0 || (more.length === 1 && more[0] === '')) {
    if (servers.includes(server)) return { labels, server, endpoint: `/mcp/${server}` };
  }
  const known = servers.map((name) => `\`/mcp/${name}\``).join(', ');
  throw new Fault('TG_UNKNOWN_ROUTE', `no MCP server is here; this gate serves ${known || 'none'}`);
}
