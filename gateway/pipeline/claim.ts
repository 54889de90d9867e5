import { Fault } from '../domain/fault.ts';
import type { Dialect } from '../ports/dialect.ts';
import type { PathLabels } from '../ports/identity.ts';
import type { Destination, Gateway } from './gateway.ts';

/** Where a request wants to go, read from its path alone. */
export interface Claim {
  readonly destination: Destination;
  /** undefined: an open route, carried without being read */
  readonly dialect: Dialect | undefined;
  /** the tongue for whatever the gate itself has to say */
  readonly tongue: Dialect;
  readonly labels: PathLabels;
  /** path to ask the upstream for, base path and query included */
  readonly upstreamPath: string;
}

const RUN_PREFIX = /^\/run\/([^/]+)(?:\/agent\/([^/]+))?(?=\/|$)/;

/** Takes `/run/<id>[/agent/<name>]` off a path (attribution.md 5). */
function runPrefix(path: string): { readonly labels: PathLabels; readonly rest: string } {
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

/** Finds destination and dialect. Throws a Fault (`TG_UNKNOWN_ROUTE`, `TG_METHOD`) that says what is served here. */
export function claim(gate: Gateway, method: string, url: string): Claim {
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
  const dialect = destination.dialects.find((d) => d.claims(method, path));
  const tongue = dialect ?? (destination.dialects[0] as Dialect);
  const found = dialect ? dialect.upstreamPath(path) : openRoute(destination, method, path);
  return { destination, dialect, tongue, labels, upstreamPath: joined(destination.basePath, found) + search };
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
