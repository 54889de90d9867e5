import { readdirSync, readFileSync, statSync } from 'node:fs';
import type { Server } from 'node:http';
import { join } from 'node:path';
import { openOfficeDoor } from './admin/office-door.ts';
import { compose, type Sources } from './compose.ts';
import { withExtended } from './config/extended-files.ts';
import type { LoadedConfig } from './config/load.ts';
import { type WatchTimes, watchFiles } from './config/watch-files.ts';
import type { Problem, SourceFile } from './domain/source.ts';
import { exchange } from './pipeline/exchange.ts';
import { exchangeMcp, turnAwayMcp } from './pipeline/mcp/exchange-mcp.ts';
import { reloading } from './pipeline/reloading.ts';
import { carrySocket } from './pipeline/socket-exchange.ts';
import { turnAway } from './pipeline/turn-away.ts';
import { PolicyFault } from './policy/policy-fault.ts';
import type { Log } from './ports/log.ts';
import { openDataDoor } from './server/data-door.ts';
import { listen } from './server/listen.ts';
import { type McpDoor, openMcpDoor } from './server/mcp-door.ts';
import { Seats, seatsByOpenFiles } from './server/seats.ts';
import { openUpgradeDoor, type UpgradeDoor } from './server/upgrade-door.ts';
import { createLog } from './telemetry/log.ts';
import { socketEnd } from './upstream/socket-end.ts';
import { openUpstreamSockets } from './upstream/websocket.ts';

export interface StartOptions {
  readonly log?: Log | undefined;
  /** start without any rule; shouted in console, log and metrics */
  readonly allowUnpoliced?: boolean | undefined;
  /** how soon changed policies and prices are noticed */
  readonly watch?: WatchTimes | undefined;
}

/** A gate that is listening. */
export interface Running {
  readonly data: { readonly host: string; readonly port: number };
  readonly office: { readonly host: string; readonly port: number };
  readonly policy: string;
  readonly rules: number;
  readonly recovered: { readonly lapsed: number; readonly indexed: number; readonly released: number };
  /**
   * Reads policies and prices again and swaps them whole; what is invalid changes nothing and is thrown. Happens by itself when a file
   * changes.
   */
  reload(): void;
  /** Takes no new call, finishes those in flight within `limits.shutdown_s`, and closes everything. */
  stop(): Promise<void>;
}

/** Reads the files of a folder whose name matches, one level of bundle folders included. Throws where the folder is missing. */
export function readYamlFiles(folder: string, name: RegExp): SourceFile[] {
  const found: SourceFile[] = [];
  // a mounted volume keeps its versions in folders with a dot
  for (const entry of readdirSync(folder)
    .filter((e) => !e.startsWith('.'))
    .sort()) {
    const path = join(folder, entry);
    if (statSync(path).isDirectory()) {
      for (const inner of readdirSync(path).sort())
        if (name.test(inner)) found.push({ path: join(path, inner), text: readFileSync(join(path, inner), 'utf8') });
    } else if (name.test(entry)) found.push({ path, text: readFileSync(path, 'utf8') });
  }
  return found;
}

/** Rules and prices as they were read, with what is wrong about what policies extend. */
export interface ReadSources extends Sources {
  readonly problems: readonly Problem[];
  /** folders outside of the configured ones that hold policies */
  readonly folders: readonly string[];
}

/** The policy and price files a configuration names. Throws an Error that says which setting is missing. */
export function readSources(config: LoadedConfig, allowUnpoliced: boolean): ReadSources {
  const policies =
    config.policies === undefined ? [] : readFolder(config, 'policies', config.policies, /^policy\.ya?ml$/);
  if (policies.length === 0 && !allowUnpoliced) {
    throw new Error(
      `${config.file}: there is no policy; set \`policies:\` to a folder with a \`policy.yaml\`, or start with --allow-unpoliced`,
    );
  }
  if (policies.length === 0)
    policies.push({
      path: '--allow-unpoliced',
      text: 'policy: tollgate/v1\nname: unpoliced\ndefault: allow\nrules: []\n',
    });
  const prices = config.pricing === undefined ? [] : readFolder(config, 'pricing', config.pricing, /\.ya?ml$/);
  if (prices.length === 0)
    throw new Error(`${config.file}: there is no price table; set \`pricing:\` to a folder with one`);
  const { files, problems, folders } = withExtended(policies, config.policies ?? config.folder);
  return { policies: files, prices, problems, folders };
}

/** The same sources; throws a PolicyFault where what a policy extends is not there, not what was pinned, or goes round. */
function sound(sources: ReadSources): ReadSources {
  if (sources.problems.length > 0) throw new PolicyFault(sources.problems);
  return sources;
}

function readFolder(config: LoadedConfig, key: string, folder: string, name: RegExp): SourceFile[] {
  try {
    return readYamlFiles(folder, name);
  } catch (error) {
    throw new Error(
      `${config.file}: \`${key}: ${folder}\` cannot be read: ${error instanceof Error ? error.message : 'unknown'}`,
      { cause: error },
    );
  }
}

/** Starts the gate: rooms, recovery, both doors. Throws with file, line and column where something it is given is wrong. */
export async function startGateway(config: LoadedConfig, options: StartOptions = {}): Promise<Running> {
  const log = options.log ?? createLog({ level: config.log.level === 'debug' ? 'info' : config.log.level });
  const unpoliced = options.allowUnpoliced ?? false;
  const sources = sound(readSources(config, unpoliced));
  const house = await compose(config, sources, log, unpoliced && config.policies === undefined);
  const mcp = mcpDoorOf(house, config, log);
  const seats = new Seats(config.limits.calls ?? seatsByOpenFiles());
  const door = openDataDoor({
    maxRequestBytes: () => house.gate().limits.requestBytes,
    seats,
    exchange: (call, reply) =>
      mcp?.serves(call.arrival.url) ? mcp.exchange(call, reply) : exchange(house.gate(), house.noses, call, reply),
    turnAway: (call, reply, fault) =>
      mcp?.serves(call.arrival.url)
        ? mcp.turnAway(call, reply, fault)
        : turnAway(house.gate(), call.arrival, reply, fault),
    onDrain: () => mcp?.closeListening(),
    onError: (error) => log.error({ error }, 'a call failed outside the corridor; its connection was cut'),
    upgrades: upgradeDoorOf(house, seats, log),
  });
  const office = openOfficeDoor({
    calls: house.gate().calls,
    spool: house.gate().spool,
    scrape: house.scrape,
    unready: house.unready,
    hosts: config.office.hosts,
    onError: (error) => log.error({ error }, 'the office failed'),
  });
  try {
    const data = await listen(door.server, config.listen.host, config.listen.port);
    const desk = await listen(office, config.office.host, config.office.port);
    await house.gate().spool.append({
      kind: 'event',
      at: house.gate().clock.now(),
      name: 'started',
      detail: {
        policy: house.gate().judge.digest,
        prices: house.gate().cashier.digest,
        recovered: { ...house.recovered },
      },
    });
    return running(config, house, door, office, { ...options, log, sources }, { data, office: desk });
  } catch (error) {
    await door.drain(0);
    await closed(office);
    await house.close();
    throw error;
  }
}

/** The data door's part for WebSockets. */
function upgradeDoorOf({ gate, noses }: Awaited<ReturnType<typeof compose>>, seats: Seats, log: Log): UpgradeDoor {
  const sockets = openUpstreamSockets();
  return openUpgradeDoor({
    seats,
    carry: (upgrade) => carrySocket({ gate, noses, sockets }, upgrade),
    turnAway: (arrival, reply, fault) => turnAway(gate(), arrival, reply, fault),
    endOf: socketEnd,
    onError: (error) => log.error({ error }, 'a socket failed outside the corridor; it was cut'),
  });
}

/** The MCP plane's part of the data door, where the configuration has one. */
function mcpDoorOf(
  { mcp: room, gate, noses }: Awaited<ReturnType<typeof compose>>,
  { mcp, limits }: LoadedConfig,
  log: Log,
): McpDoor | undefined {
  return (
    room &&
    openMcpDoor({
      room,
      exchange: (call, reply) => exchangeMcp(gate(), room, noses, call, reply),
      turnAway: (_, reply, fault) => turnAwayMcp(gate(), room, reply, fault),
      sseLegacy: mcp?.sse_legacy ?? false,
      keepAliveMs: limits.keep_alive_s * 1000,
      onError: (error) => log.error({ error }, 'an MCP connection failed'),
    })
  );
}

/** Resolves when nothing listens there any more, whether or not something did. */
function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

function running(
  config: LoadedConfig,
  house: Awaited<ReturnType<typeof compose>>,
  door: ReturnType<typeof openDataDoor>,
  office: ReturnType<typeof openOfficeDoor>,
  { log, allowUnpoliced, watch, sources }: StartOptions & { readonly log: Log; readonly sources: ReadSources },
  places: Pick<Running, 'data' | 'office'>,
): Running {
  let extended = sources.folders;
  const read = (): Sources => {
    // rules that vanish while the gate runs are no reason to go on without any
    const found = readSources(config, (allowUnpoliced ?? false) && config.policies === undefined);
    extended = found.folders;
    return sound(found);
  };
  const reload = reloading(house, log, read);
  const folders = [config.policies, config.pricing].filter((folder) => folder !== undefined);
  const unwatch = watchFiles(
    () => [...folders, ...extended],
    () => reload('file'),
    watch,
  );
  return {
    ...places,
    policy: house.gate().judge.digest,
    rules: house.gate().judge.size,
    recovered: house.recovered,
    reload() {
      const refused = reload('asked');
      if (refused) throw refused;
    },
    async stop() {
      unwatch();
      await door.drain(config.limits.shutdown_s * 1000);
      await closed(office);
      await house.close();
    },
  };
}
