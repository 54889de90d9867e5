import { resolve } from 'node:path';
import type { LoadedConfig } from './config/load.ts';
import type { McpConfig, McpServerConfig } from './config/mcp-schema.ts';
import { detectors } from './detectors/_all.ts';
import { mcpWire } from './dialects/mcp/wire.ts';
import type { Json } from './domain/json.ts';
import { sealSecrets } from './identity/seal-secrets.ts';
import { createSealer } from './identity/sealed-handle.ts';
import type { Gateway } from './pipeline/gateway.ts';
import { IdleRuns } from './pipeline/mcp/idle-runs.ts';
import { PendingRequests } from './pipeline/mcp/pending-requests.ts';
import type { McpLimits, McpPeer, McpRoom } from './pipeline/mcp/room.ts';
import { UnansweredCalls } from './pipeline/mcp/unanswered-calls.ts';
import { createNames, nameProblems } from './pipeline/trust/federated-names.ts';
import { Flights } from './pipeline/trust/flights.ts';
import { PinKeeper } from './pipeline/trust/pin-keeper.ts';
import type { McpServer } from './ports/mcp-server.ts';
import type { EmbeddedPins } from './stores/embedded/pins.ts';
import { FilePinLock } from './stores/embedded/pins-lock.ts';
import { openUpstream } from './upstream/http.ts';
import { openMcpHttp } from './upstream/mcp-http.ts';
import { openStdioServer } from './upstream/stdio/open-stdio.ts';

type Parts = Pick<Gateway, 'clock' | 'log' | 'spool' | 'identity'> & { readonly pins: EmbeddedPins };

const MEGA = 1024 * 1024;

/** Opens the MCP plane's servers and everything its corridor needs. `opened` hears how to close each again. */
export function openMcp(
  config: LoadedConfig,
  mcp: McpConfig,
  parts: Parts,
  opened: { add(close: () => unknown): void },
): McpRoom {
  const problems = nameProblems(namesOf(mcp));
  if (problems.length > 0)
    throw new Error(
      problems.map(({ path, message }) => `${config.file}: mcp.servers.${path.join('.')}: ${message}`).join('\n'),
    );
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
  return Object.freeze({
    wire: mcpWire,
    peers,
    names: createNames(namesOf(mcp)),
    pins: new PinKeeper({
      lock: new FilePinLock(resolve(config.folder, mcp.pins.file), parts.clock),
      store: parts.pins,
      detectors: detectors.filter(({ name }) => name === 'injection'),
      mode: mcp.pins.mode,
      maxAgeMs: mcp.pins.max_age_s * 1000,
      clock: parts.clock,
      log: parts.log,
      note: (name, detail) => event(parts, name, detail),
    }),
    refreshes: new Flights(),
    sealer: createSealer(sealSecrets(mcp.seal_keys, config.state)),
    access: openAccess(parts),
    pending: new PendingRequests(),
    unanswered: new UnansweredCalls(),
    idleRuns: new IdleRuns(),
    limits,
  });
}

const namesOf = (mcp: McpConfig) =>
  Object.entries(mcp.servers).map(([server, { aliases, resources, federated }]) => ({
    server,
    aliases,
    resources,
    federated,
  }));

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
  if ('url' in server) {
    const { credential } = server;
    const own = credential && !('oauth' in credential) ? credential : undefined;
    return openMcpHttp({ name, url: server.url, upstream, credential: async () => own });
  }
  const { clock, log } = parts;
  return openStdioServer({
    name,
    command: {
      command: server.command,
      env: server.env,
      cwd: server.cwd === undefined ? config.folder : resolve(config.folder, server.cwd),
      uid: server.uid,
      gid: server.gid,
    },
    era: server.era,
    share: server.share,
    idleMs: server.idle_s * 1000,
    messageBytes: limits.message.bytes,
    maxProcesses: 1_000,
    probeMs: 5_000,
    patienceMs: 100,
    log,
    incident: (what, detail) => event(parts, what, { server: name, ...detail }),
    redact: (line) => line,
    ticks: () => clock.ticks(),
  });
}

function openAccess({ identity }: Parts): McpRoom['access'] {
  return {
    admit() {},
    async authenticate(arrival) {
      return { ...(await identity.authenticate(arrival, ['authorization'])), scopes: [] };
    },
    challenge: () => 'Bearer realm="tollgate"',
    metadata: () => undefined,
  };
}
