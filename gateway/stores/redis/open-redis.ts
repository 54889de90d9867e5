import { Fault } from '../../domain/fault.ts';
import type { Nano } from '../../domain/scalars.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Keys } from '../../ports/keys.ts';
import type { Log } from '../../ports/log.ts';
import type { Runs } from '../../ports/runs.ts';
import { Allowance } from './allowance.ts';
import { audit, type Discrepancy } from './audit.ts';
import { gatewayId } from './gateway-id.ts';
import { RedisKeys } from './keys.ts';
import type { LeaseTerms } from './leased-account.ts';
import { LeasedLedger } from './leased-ledger.ts';
import { RedisLedger } from './ledger.ts';
import { LeftLeases } from './left-leases.ts';
import { connect, connectCluster, Link, Unreachable } from './link.ts';
import { Recall } from './recall.ts';
import { type SharedHalt, SharedHalts } from './shared-halts.ts';
import { SharedRuns } from './shared-runs.ts';
import { Tenants } from './tenants.ts';

const DAY_MS = 86_400_000;

export interface RedisOptions {
  readonly clock: Clock;
  /** where this gateway keeps its name, by which its holds are told apart */
  readonly idFile: string;
  readonly log: Log;
  /** what this process knows of runs by itself; halts, steps, spending and labels of other gateways are added to it */
  readonly runs: Runs;
  /** the longest a question may take; default 1,000 */
  readonly timeoutMs?: number;
  /** how many replicas must have a hold or charge before it counts; default 0, a failover may then lose the last ones */
  readonly replicas?: number;
  /** how long closed holds and ended windows are kept; default one day */
  readonly keepMs?: number;
  /** what this gateway may spend while Redis is away; default nothing */
  readonly allowance?: Nano;
  readonly onAllowance?: (amount: Nano) => void;
  readonly onHealth?: (up: boolean) => void;
  /** how money is leased; default not at all */
  readonly leases?: Partial<LeaseTerms>;
  /** the record of this gateway: its last durable line. Calls are then part of their leases until `ledger.sealed` says they are in it */
  readonly recordLine?: () => number;
  /** a budgeted call was granted: out of leases, or by asking */
  readonly onGrant?: (from: 'lease' | 'store') => void;
  readonly onLeases?: (open: number) => void;
  /** leases of other gateways were asked for, and came back in time or did not */
  readonly onRecall?: (returned: boolean) => void;
  /** `server` (default): Redis tells the time for all gateways; `clock`: the clock given here does */
  readonly time?: 'server' | 'clock';
}

export interface RedisStore {
  readonly ledger: LeasedLedger;
  readonly runs: Runs;
  readonly keys: Keys;
  /** Where totals differ from the hold records; only while no call is under way. */
  audit(): Promise<readonly Discrepancy[]>;
  /** False while Redis does not answer. */
  healthy(): boolean;
  /** questions sent to Redis so far */
  asked(): number;
  /** Delivers what waits, within the timeout, and disconnects. */
  close(): Promise<void>;
}

/**
 * Opens the store that several gateways share at `url` (`redis://` or `rediss://`, one server or a node of a cluster; Valkey too).
 * Throws a Fault (`TG_LEDGER_UNAVAILABLE`) where it cannot be reached or could forget money: a server that evicts keys.
 */
export async function openRedis(url: string, options: RedisOptions): Promise<RedisStore> {
  const { clock, log, timeoutMs = 1_000, keepMs = DAY_MS, time = 'server' } = options;
  const link = await open(url, options, timeoutMs);
  try {
    await mustKeepKeys(link, log);
    const gateway = gatewayId(options.idFile);
    const tenants = new Tenants(link, { clock, time, keepMs, gateway });
    const ledger = openLedger(tenants, link, gateway, options);
    ledger.start();
    link.onBack(() => void ledger.deliver());
    const halts = new SharedHalts(link, log, clock);
    await halts.start();
    const runs = new SharedRuns(options.runs, link, halts, gateway);
    return {
      ledger,
      runs,
      keys: new RedisKeys(link, clock),
      audit: () => audit(link, tenants),
      healthy: () => link.healthy,
      asked: () => link.asked,
      async close() {
        await ledger.close();
        halts.close();
        await link.close();
      },
    };
  } catch (error) {
    await link.close();
    throw error instanceof Unreachable ? unavailable(url, error) : error;
  }
}

const NO_LEASES: LeaseTerms = { ms: 0, calls: 8, after: 2, share: 16, restMs: 1_000 };

/** The ledger of the tenants, which takes leases where it is to, and asks others for theirs in any case. */
function openLedger(tenants: Tenants, link: Link, gateway: string, options: RedisOptions): LeasedLedger {
  const { clock, log, timeoutMs = 1_000, keepMs = DAY_MS, recordLine, onGrant, onLeases, onRecall } = options;
  const recall = new Recall({ link, clock, gateway, waitMs: timeoutMs, onRecall });
  const inner = new RedisLedger(tenants, clock, keepMs, new Allowance(options.allowance ?? 0n), {
    onAllowance: (amount) => options.onAllowance?.(amount),
    onLost: (call, error) =>
      log.error({ call, error: messageOf(error) }, 'the shared ledger did not take a settlement'),
    makeRoom: (accounts) => ledger.makeRoom(accounts),
  });
  const ms = options.leases?.ms ?? 0;
  const ledger: LeasedLedger = new LeasedLedger(inner, tenants, recall, {
    clock,
    terms: { ...NO_LEASES, restMs: Math.max(1_000, ms / 4), ...options.leases },
    line: recordLine ?? (() => 0),
    isRecorded: recordLine !== undefined,
    left: new LeftLeases(tenants, () => clock.now() - keepMs),
    onGrant,
    onOpen: onLeases,
    onError: (error) => log.error({ error }, 'redis could not be told of a lease'),
  });
  return ledger;
}

/** What an operator may do beside running gateways. */
export interface RedisDesk {
  readonly keys: Keys;
  readonly halts: {
    /** longest halted first */
    list(): Promise<readonly SharedHalt[]>;
    /** False where there is none; running gateways take notice at once. */
    lift(kind: SharedHalt['kind'], id: string): Promise<boolean>;
  };
  close(): Promise<void>;
}

/** Opens keys and halts only. Throws a Fault (`TG_LEDGER_UNAVAILABLE`) where Redis cannot be reached. */
export async function openRedisDesk(
  url: string,
  options: Pick<RedisOptions, 'clock' | 'log' | 'timeoutMs'>,
): Promise<RedisDesk> {
  const link = await open(url, options, options.timeoutMs ?? 1_000);
  return {
    keys: new RedisKeys(link, options.clock),
    halts: new SharedHalts(link, options.log, options.clock),
    close: () => link.close(),
  };
}

async function open(
  url: string,
  { clock, log, onHealth, replicas = 0 }: Pick<RedisOptions, 'clock' | 'log' | 'onHealth' | 'replicas'>,
  timeoutMs: number,
): Promise<Link> {
  const onError = (error: unknown): void =>
    log.warn({ error: messageOf(error) }, 'the connection to redis has a problem');
  const first = connect(url, timeoutMs);
  const link = new Link(first, { clock, timeoutMs, replicas, onError, onHealth });
  try {
    await first.connect();
    const server = await link.ask(() => first.info('server'));
    if (!/^redis_mode:cluster/m.test(server)) return link;
    if (replicas > 0)
      throw new Error('`store.replicas` is for one server with replicas, and this is a cluster: leave it out');
    await link.close();
    const cluster = connectCluster(url, timeoutMs);
    const clustered = new Link(cluster, { clock, timeoutMs, onError, onHealth });
    await cluster.connect();
    return clustered;
  } catch (error) {
    await link.close();
    throw unavailable(url, error);
  }
}

/** An evicted hold is a silent refund, so a server that may evict is refused. */
async function mustKeepKeys(link: Link, log: Log): Promise<void> {
  const memory = await link.ask(() => link.client.info('memory'));
  const policy = /^maxmemory_policy:(\S+)/m.exec(memory)?.[1];
  if (policy !== 'noeviction') {
    throw new Fault(
      'TG_LEDGER_UNAVAILABLE',
      `redis may evict keys (maxmemory-policy is \`${policy ?? 'unknown'}\`), which would refund money in silence; set \`maxmemory-policy noeviction\``,
    );
  }
  const persistence = await link.ask(() => link.client.info('persistence'));
  if (!/^aof_enabled:1/m.test(persistence)) {
    log.warn({}, 'redis keeps no append-only file: a restart of it forgets what was spent; set `appendonly yes`');
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : 'unknown');

function unavailable(url: string, error: unknown): Fault {
  const { host } = new URL(url);
  return new Fault(
    'TG_LEDGER_UNAVAILABLE',
    `redis at \`${host}\` cannot be used (${messageOf(error)}); start it, or correct \`store.redis\``,
    error,
  );
}
