import { Fault } from '../domain/fault.ts';
import type { Dialect, FollowUp } from '../ports/dialect.ts';
import type { PathLabels } from '../ports/identity.ts';
import { type SocketDialect, speaksSockets } from '../ports/socket-language.ts';
import type { Destination, Gateway } from './gateway.ts';

/** Where a request wants to go, read from its path alone. */
export interface Claim {
  readonly destination: Destination;
  /** undefined: an open route, carried without being read, or one that asks about an earlier call */
  readonly dialect: Dialect | undefined;
  /** it asks about what an earlier call began */
  readonly followUp?: { readonly dialect: Dialect; readonly route: FollowUp } | undefined;
  /** the tongue for whatever the gate itself has to say */
  readonly tongue: Dialect;
  readonly labels: PathLabels;
  /** path to ask the upstream for, base path and query included */
  readonly upstreamPath: string;
}

const RUN_PREFIX = /^\/run\/([^/]+)(?:\/agent\/([^/]+))?(?=\/|$)/;

/** Takes `/run/<id>[/agent/<name>]` off a path (attribution.md 5). */
export function runPrefix(path: string): { readonly labels: PathLabels; readonly rest: string } {
  const match = RUN_PREFIX.exec(path);
  if (!match) return { labels: {}, rest: path };
  const decode = (text: string): string => {
    try {
      return decodeURIComponent(text);
    } catch {
      throw new Fault('TG_BAD_REQUEST', 'the run label in the path is not valid percent-encoding');
    }
  };
  return {
    labels: { run: decode(match[1] as string), ...(match[2] !== undefined && { agent: decode(match[2]) }) },
    rest: path.slice(match[0].length) || '/',
  };
}

/** Where a path leads, before it is known what is asked there. */
interface Place {
  readonly destination: Destination;
  readonly labels: PathLabels;
  /** below the upstream's name, query left out */
  readonly path: string;
  /** with its `?`; '' where there is none */
  readonly search: string;
}

function placeOf(gate: Gateway, url: string): Place {
  const query = url.indexOf('?');
  const search = query === -1 ? '' : url.slice(query);
  const { labels, rest } = runPrefix(query === -1 ? url : url.slice(0, query));
  const slash = rest.indexOf('/', 1);
  const name = rest.slice(1, slash === -1 ? undefined : slash);
  const path = slash === -1 ? '/' : rest.slice(slash);
  const destination = gate.destinations.get(name);
  if (!destination) {
    const known = [...gate.destinations.keys()].map((n) => `\`/${n}\``).join(', ');
    throw new Fault('TG_UNKNOWN_ROUTE', `no upstream is called \`${name}\`; this gate serves ${known}`);
  }
  return { destination, labels, path, search };
}

/** Finds destination and dialect. Throws a Fault (`TG_UNKNOWN_ROUTE`, `TG_METHOD`, `TG_UPGRADE_REQUIRED`) that says what is served here. */
export function claim(gate: Gateway, method: string, url: string): Claim {
  const { destination, labels, path, search } = placeOf(gate, url);
  const dialect = destination.dialects.find((d) => d.claims(method, path));
  const followUp = dialect ? undefined : followUpOf(destination, method, path);
  const tongue = dialect ?? followUp?.dialect ?? (destination.dialects[0] as Dialect);
  if (!dialect && !followUp && method === 'GET' && socketAt(destination, path))
    throw new Fault('TG_UPGRADE_REQUIRED', `\`GET ${path}\` is a WebSocket; open it with \`wss:\` or \`ws:\``);
  const found = dialect?.upstreamPath(path) ?? followUp?.route.upstreamPath ?? openRoute(destination, method, path);
  const upstreamPath = joined(destination.basePath, found) + search;
  return { destination, dialect, ...(followUp && { followUp }), tongue, labels, upstreamPath };
}

/** The language in which this asks about what an earlier call began. */
function followUpOf({ dialects }: Destination, method: string, path: string): Claim['followUp'] {
  for (const dialect of dialects) {
    const route = dialect.follow?.(method, path);
    if (route) return { dialect, route };
  }
  return undefined;
}

const socketAt = ({ dialects }: Destination, path: string): SocketDialect | undefined =>
  dialects.filter(speaksSockets).find(({ socket }) => socket.claims(path));

/** Where an upgrade wants to go. */
export type SocketClaim = Claim & { readonly dialect: SocketDialect };

/** Finds destination and language of a WebSocket. Throws a Fault (`TG_UNKNOWN_ROUTE`, `TG_UPGRADE_REFUSED`) that says what is served. */
export function claimSocket(gate: Gateway, url: string): SocketClaim {
  const { destination, labels, path, search } = placeOf(gate, url);
  const dialect = socketAt(destination, path);
  if (!dialect) {
    const spoken = destination.dialects.filter(speaksSockets).map(({ socket }) => `\`${socket.upstreamPath('')}\``);
    const served = spoken.length === 0 ? 'none is served there' : `served there: ${spoken.join(', ')}`;
    throw new Fault(
      'TG_UPGRADE_REFUSED',
      `\`${path}\` of upstream \`${destination.name}\` is no WebSocket that this gate can meter, so it is not carried; ${served}`,
    );
  }
  const upstreamPath = joined(destination.basePath, dialect.socket.upstreamPath(path)) + search;
  return { destination, dialect, tongue: dialect, labels, upstreamPath };
}

/** Some providers are configured with their version in the base URL: it is not said twice. */
function joined(basePath: string, path: string): string {
  return /\/v[0-9]+[a-z0-9]*$/.test(basePath)
    ? basePath + path.replace(/^\/v[0-9]+[a-z0-9]*(?=\/)/, '')
    : basePath + path;
}

/** The tongue to refuse in when `claim` itself failed. */
export function tongueFor(gate: Gateway, url: string): Dialect | undefined {
  const first = [...gate.destinations.values()][0];
  try {
    const name = runPrefix(url.split('?')[0] as string).rest.split('/')[1] ?? '';
    return (gate.destinations.get(name) ?? first)?.dialects[0];
  } catch (error) {
    if (error instanceof Fault) return first?.dialects[0];
    throw error;
  }
}

const UNSAFE = /(^|\/)\.{1,2}(\/|$)|%2e|%2f|%5c|\\|\/\//i;

function openRoute(destination: Destination, method: string, path: string): string {
  if (UNSAFE.test(path))
    throw new Fault('TG_BAD_REQUEST', 'the path has empty, dotted or encoded segments; write it plainly');
  const segments = path.split('/').filter(Boolean);
  while (segments.length > 1 && /^v[0-9]+(beta)?$/.test(segments[0] as string) && segments[0] === segments[1])
    segments.shift();
  const name = /^v[0-9]/.test(segments[0] ?? '') ? segments[1] : segments[0];
  const route = destination.routes.find((r) => r.name === name);
  if (!route) {
    throw new Fault(
      'TG_UNKNOWN_ROUTE',
      `\`${method} ${path}\` is not governed here, so it is not carried; add \`routes: [${name ?? '…'}]\` to upstream \`${destination.name}\` to let it through`,
    );
  }
  if (!route.methods.includes(method))
    throw new Fault(
      'TG_METHOD',
      `route \`${name}\` of upstream \`${destination.name}\` is open for ${route.methods.join(', ')} only`,
    );
  return `/${segments.join('/')}`;
}
