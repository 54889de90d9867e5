import { resolve } from 'node:path';
import { federatedServers } from '../config/federated-servers.ts';
import type { LoadedConfig } from '../config/load.ts';
import { isLoopback } from '../config/loopback.ts';
import type { McpConfig, McpServerConfig } from '../config/mcp-schema.ts';
import { detectors } from '../detectors/_all.ts';
import { mcpWire } from '../dialects/mcp/wire.ts';
import type { Json } from '../domain/json.ts';
import { createMcpAccess } from '../identity/mcp-access.ts';
import { issuerReader } from '../identity/read-issuer.ts';
import { sealSecrets } from '../identity/seal-secrets.ts';
import { createSealer } from '../identity/sealed-handle.ts';
import type { Gateway } from '../pipeline/gateway.ts';
import { IdleRuns } from '../pipeline/mcp/idle-runs.ts';
import { ListListeners } from '../pipeline/mcp/list-listeners.ts';
import { PendingRequests } from '../pipeline/mcp/pending-requests.ts';
import type { McpLimits, McpPeer, McpRoom } from '../pipeline/mcp/room.ts';
import { UnansweredCalls } from '../pipeline/mcp/unanswered-calls.ts';
import { createNames } from '../pipeline/trust/federated-names.ts';
import { Flights } from '../pipeline/trust/flights.ts';
import { PinKeeper } from '../pipeline/trust/pin-keeper.ts';
import type { McpServer } from '../ports/mcp-server.ts';
import { hostCheck } from '../server/host-check.ts';
import type { EmbeddedPins } from '../stores/embedded/pins.ts';
import { FilePinLock } from '../stores/embedded/pins-lock.ts';
import { createGuardedFetch } from '../upstream/guarded-fetch.ts';
import { openUpstream } from '../upstream/http.ts';
import { openMcpHttp } from '../upstream/mcp-http.ts';
import { openSseServer } from '../upstream/mcp-sse/open-sse.ts';
import { fixedCredential, grantedCredential, type OwnCredential } from '../upstream/own-credential.ts';
import { openStdioServer } from '../upstream/stdio/open-stdio.ts';

type WebServerConfig = Extract<McpServerConfig, { readonly url: string }>;
type Parts = Pick<Gateway, 'clock' | 'log' | 'spool' | 'identity'> & { readonly pins: EmbeddedPins };

const MEGA = 1024 * 1024;
/** How long the answer of a server without HTTP may take before it is sent as a stream. */
const PATIENCE_MS = 100;
/** Connections to one server of 2024-11-05: each session holds one. */
const MAX_CONNECTIONS = 1_000;
/** How long a process may take to answer the probe of its era. */
const PROBE_MS = 5_000;

/** Opens the MCP plane's servers and everything its corridor needs. `opened` hears how to close each again. */
export function openMcp(
  config: LoadedConfig,
  mcp: McpConfig,
  parts: Parts,
  opened: { add(close: () => unknown): void },
): McpRoom {
  const upstream = openUpstream({
    headersTimeoutMs: config.limits.headers_timeout_s * 1000,
    // a stream of notifications may be silent for as long as nothing happens
    idleTimeoutMs: 0,
  });
  opened.add(() => upstream.close());
  const limits = limitsOf(mcp);
  const peers = new Map<string, McpPeer>();
  for (const [name, server] of Object.entries(mcp.servers)) {
    const open = openServer(name, server, config, parts, limits, upstream);
    opened.add(() => open.close());
    peers.set(name, { server: open, federated: server.federated });
  }
  const pins = new PinKeeper({
    lock: new FilePinLock(resolve(config.folder, mcp.pins.file), parts.clock),
    store: parts.pins,
    detectors: detectors.filter(({ name }) => name === 'injection'),
    mode: mcp.pins.mode,
    maxAgeMs: mcp.pins.max_age_s * 1000,
    clock: parts.clock,
    log: parts.log,
    note: (name, detail) => event(parts, name, detail),
  });
  const listeners = new ListListeners();
  opened.add(pins.watch());
  opened.add(pins.onChange((server, kind) => listeners.changed(server, kind)));
  return Object.freeze({
    wire: mcpWire,
    peers,
    names: createNames(federatedServers(mcp)),
    pins,
    refreshes: new Flights(),
    sealer: createSealer(sealSecrets(mcp.seal_keys, config.state)),
    access: openAccess(config, mcp, parts),
    pending: new PendingRequests(),
    listeners,
    unanswered: new UnansweredCalls(),
    idleRuns: new IdleRuns(),
    limits,
  });
}

function limitsOf({ limits }: McpConfig): McpLimits {
  const { depth, nodes } = limits;
  return {
    request: { bytes: limits.request_mb * MEGA, depth, nodes },
    message: { bytes: limits.message_mb * MEGA, depth, nodes: nodes * 10 },
    sessionMs: limits.session_s * 1000,
    rounds: limits.rounds,
  };
}

/** Leaves a line in the record about the plane itself; a record that fails is an alarm of its own. */
function event({ spool, clock, log }: Parts, name: string, detail: Readonly<Record<string, Json>>): void {
  spool.append({ kind: 'event', at: clock.now(), name, detail }, 'soon').catch((error: unknown) => {
    log.error(
      { event: name, error: error instanceof Error ? error.message : 'unknown' },
      'an event could not be recorded',
    );
  });
}

function openServer(
  name: string,
  server: McpServerConfig,
  config: LoadedConfig,
  parts: Parts,
  limits: McpLimits,
  upstream: ReturnType<typeof openUpstream>,
): McpServer {
  const { clock, log } = parts;
  const session = {
    name,
    idleMs: server.idle_s * 1000,
    messageBytes: limits.message.bytes,
    patienceMs: PATIENCE_MS,
    log,
    incident: (what: string, detail: Readonly<Record<string, Json>>) => event(parts, what, { server: name, ...detail }),
    ticks: () => clock.ticks(),
  };
  if ('url' in server) {
    const credential = credentialOf(name, server, parts);
    return server.sse_legacy
      ? openSseServer({
          ...session,
          url: server.url,
          upstream,
          credential: (caller) => credential.get(caller),
          maxSessions: MAX_CONNECTIONS,
          maxPerPrincipal: MAX_CONNECTIONS / 10,
        })
      : openMcpHttp({ name, url: server.url, upstream, credential });
  }
  const { command, env, uid, gid, cwd = '.' } = server;
  return openStdioServer({
    ...session,
    command: { command, env, cwd: resolve(config.folder, cwd), uid, gid },
    era: server.era,
    share: server.share,
    maxProcesses: server.max_processes,
    maxPerPrincipal: server.max_per_principal,
    probeMs: PROBE_MS,
    redact: withoutSecrets,
  });
}

/** A line of a server's log without what looks like a secret. */
function withoutSecrets(line: string): string {
  const nose = detectors.find(({ name }) => name === 'secrets');
  return (nose?.scan(line) ?? []).reduceRight(
    (text, { start, end }) => `${text.slice(0, start)}[secret]${text.slice(end)}`,
    line,
  );
}

/** Fetches documents of the issuers an operator named. Their own hosts may be private, and on this machine where he said so. */
function issuerRoom(urls: readonly (string | undefined)[], clock: Gateway['clock']) {
  const named = urls.filter((url) => url !== undefined).map((url) => new URL(url));
  const fetch = createGuardedFetch({
    trusted: named.map(({ host }) => host),
    allowLoopback: named.some(({ hostname }) => isLoopback(hostname)),
  });
  return { fetch, clock, readIssuer: issuerReader(fetch, clock) };
}

function credentialOf(name: string, server: WebServerConfig, { clock }: Parts): OwnCredential {
  const { credential, url } = server;
  if (!credential || !('oauth' in credential)) return fixedCredential(credential);
  const { oauth } = credential;
  const room = issuerRoom([oauth.issuer, oauth.token_endpoint], clock);
  return grantedCredential({ ...oauth, resource: oauth.resource ?? url }, { ...room, server: name });
}

function openAccess(config: LoadedConfig, mcp: McpConfig, { identity, clock }: Parts): McpRoom['access'] {
  const { oauth, allowed_hosts, allowed_origins } = mcp;
  const hosts = oauth ? [...allowed_hosts, new URL(oauth.resource).host] : allowed_hosts;
  const check = hostCheck({ listen: config.listen.host, hosts, origins: allowed_origins });
  return createMcpAccess({
    identity,
    admit: ({ headers }) => check(headers),
    ...(oauth && {
      oauth: {
        ...oauth,
        endpoints: ['/mcp', ...Object.keys(mcp.servers).map((name) => `/mcp/${name}`)],
        room: issuerRoom(
          oauth.issuers.flatMap(({ issuer, jwks_uri }) => [issuer, jwks_uri]),
          clock,
        ),
      },
    }),
  });
}
