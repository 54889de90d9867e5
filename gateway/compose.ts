import { hash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { OpenSpool } from './audit/file-spool.ts';
import { scanOpen } from './audit/recovery.ts';
import { sinks as sinkKinds } from './audit/sinks/_all.ts';
import { openSpool } from './audit/spool.ts';
import { openMcp } from './compose-mcp.ts';
import { startShippers } from './compose-shippers.ts';
import { unpricedDeployments } from './config/deployments.ts';
import { budgetsOf, destinationsOf, ratesOf } from './config/gate-terms.ts';
import { limitsOf } from './config/limits-of.ts';
import type { LoadedConfig } from './config/load.ts';
import { remoteTermsOf } from './config/remote-terms.ts';
import { detectors as allDetectors } from './detectors/_all.ts';
import { knownRemotes, openRemotes, remoteProblems } from './detectors/remote/open-remotes.ts';
import { dialects as allDialects } from './dialects/_all.ts';
import type { SourceFile } from './domain/source.ts';
import { createIdentity } from './identity/identity.ts';
import { Opened } from './opened.ts';
import { BudgetWatch } from './pipeline/budget-watch.ts';
import { settleOverdue } from './pipeline/deferred.ts';
import { Noses } from './pipeline/detect.ts';
import type { Gateway } from './pipeline/gateway.ts';
import { Halting } from './pipeline/halting.ts';
import type { McpRoom } from './pipeline/mcp/room.ts';
import { Proposals } from './pipeline/proposals.ts';
import { type Recovered, recover } from './pipeline/recover.ts';
import { RunTokens } from './pipeline/run-tokens.ts';
import { compilePolicy } from './policy/compile-policy.ts';
import type { Judge } from './policy/judge.ts';
import type { KnownDetector } from './policy/known-detectors.ts';
import type { Log } from './ports/log.ts';
import type { Cashier } from './price/cashier.ts';
import { compilePrices } from './price/compile.ts';
import { type EmbeddedStore, openEmbedded } from './stores/embedded/open-embedded.ts';
import type { RedisDesk, RedisStore } from './stores/redis/open-redis.ts';
import { createIds, systemClock } from './telemetry/clock.ts';
import { createMetrics } from './telemetry/metrics.ts';
import { openUpstream } from './upstream/http.ts';

const sha256 = (text: string): string => hash('sha256', text, 'hex');

/** The files that rules and prices are compiled from, already read. */
export interface Sources {
  readonly policies: readonly SourceFile[];
  readonly prices: readonly SourceFile[];
}

/** The gate with everything in it that outlives a reload. */
export interface House {
  /** the gate in force; each call takes it once and keeps it */
  readonly gate: () => Gateway;
  readonly noses: Noses;
  /** the MCP plane; undefined where the configuration has no `mcp:` */
  readonly mcp: McpRoom | undefined;
  readonly recovered: Recovered;
  readonly scrape: () => Promise<{ contentType: string; body: string }>;
  /** why no call should come here now; empty: ready */
  readonly unready: () => string[];
  /** Compiles new rules and prices and swaps them whole. Throws what is wrong with them and changes nothing. */
  readonly reload: (sources: Sources) => void;
  readonly close: () => Promise<void>;
}

/** Compiles policies; `remote` are the detectors besides the gate's own. Throws a PolicyFault with every mistake. */
export const judgeOf = (files: readonly SourceFile[], remote: readonly KnownDetector[] = []): Judge =>
  compilePolicy(files, sha256, [...allDetectors, ...remote]);

/** Compiles price tables. Throws a PriceFault with every mistake. */
export const cashierOf = (files: readonly SourceFile[]): Cashier => compilePrices(files, sha256);

/** What in a configuration contradicts the rooms: unknown dialects, providers and sinks, for `check` and for the start. */
export function configProblems(config: LoadedConfig, cashier: Cashier): string[] {
  const problems: string[] = [];
  for (const [name, upstream] of Object.entries(config.upstreams)) {
    for (const dialect of upstream.dialects) {
      if (!allDialects.some((d) => d.name === dialect))
        problems.push(
          `upstream \`${name}\`: unknown dialect \`${dialect}\`; known are ${allDialects.map((d) => d.name).join(', ')}`,
        );
    }
    const provider = upstream.prices ?? name;
    if (!cashier.providers.includes(provider)) {
      problems.push(
        `upstream \`${name}\`: no price table is called \`${provider}\`; known are ${cashier.providers.join(', ')}: add \`prices:\` to the upstream or a file to the pricing folder`,
      );
    }
  }
  problems.push(...remoteProblems(config.detectors.remote, allDetectors), ...unpricedDeployments(config, cashier));
  for (const { type } of config.sinks) {
    if (!sinkKinds.some((kind) => kind.type === type))
      problems.push(`sink \`${type}\` is unknown; known are ${sinkKinds.map((k) => k.type).join(', ')}`);
  }
  return problems;
}

/** What rules may name of the remote detectors in a configuration. */
export const remotesOf = ({ detectors }: LoadedConfig): readonly KnownDetector[] => knownRemotes(detectors.remote);

/** How often holds whose lease ran out become charges; a limit counts them as held until then. */
const LAPSE_MS = 30_000;

/** Runs `work` every `ms`; the process may end meanwhile. Returns how to stop. */
function every(ms: number, work: () => unknown): () => void {
  const timer = setInterval(work, ms);
  timer.unref();
  return () => clearInterval(timer);
}

/** Opens every room in order and builds the gate; recovery is done when it resolves. Where one fails, none stays open. */
export async function compose(config: LoadedConfig, sources: Sources, log: Log, unpoliced: boolean): Promise<House> {
  const opened = new Opened();
  try {
    return await open(opened, config, sources, log, unpoliced);
  } catch (error) {
    await opened
      .close()
      .catch((also: unknown) => log.error({ error: also }, 'a room failed to close after a failed start'));
    throw error;
  }
}

async function open(
  opened: Opened,
  config: LoadedConfig,
  sources: Sources,
  log: Log,
  unpoliced: boolean,
): Promise<House> {
  const judge = judgeOf(sources.policies, remotesOf(config));
  const cashier = cashierOf(sources.prices);
  const problems = configProblems(config, cashier);
  if (problems.length > 0) throw new Error(problems.map((p) => `${config.file}: ${p}`).join('\n'));
  mkdirSync(config.state, { recursive: true, mode: 0o700 });
  const clock = systemClock();
  const metrics = createMetrics();
  const { spool, store, shared, recovered } = await openRecords(opened, config, {
    judge,
    cashier,
    clock,
    log,
    metrics,
  });
  metrics.unpoliced(unpoliced);
  metrics.spoolHealthy(true);
  const detectors = new Map(allDetectors.map((d) => [d.name, d]));
  const upstream = openUpstream({
    headersTimeoutMs: config.limits.headers_timeout_s * 1000,
    idleTimeoutMs: config.limits.idle_timeout_s * 1000,
  });
  opened.add(() => upstream.close());
  let gate: Gateway = Object.freeze({
    destinations: destinationsOf(config, allDialects),
    budgets: budgetsOf(config),
    rates: { limits: ratesOf(config), store: (shared ?? store).rates },
    judge,
    cashier,
    detectors,
    identity: createIdentity(config.access, (shared ?? store).keys, clock),
    ledger: (shared ?? store).ledger,
    runs: (shared ?? store).runs,
    halting: new Halting(log),
    watch: new BudgetWatch(),
    proposals: new Proposals(),
    tokens: new RunTokens(),
    calls: store.calls,
    deferrals: store.deferrals,
    spool,
    upstream,
    clock,
    ids: createIds(clock),
    metrics,
    log,
    limits: limitsOf(config),
    unpoliced,
  });
  opened.add(every(LAPSE_MS, () => settleOverdue(gate)));
  const mcp = config.mcp && openMcp(config, config.mcp, { ...gate, pins: store.pins }, opened);
  await startShippers(opened, config, spool, metrics, log);
  return {
    gate: () => gate,
    mcp,
    noses: openNoses(opened, config, gate),
    recovered,
    scrape: () => metrics.scrape(),
    unready: () => unreadyWhy(spool, store, metrics),
    reload(next) {
      gate = reloaded(config, gate, next);
      mcp?.listeners.changed(undefined, 'tool');
      mcp?.listeners.changed(undefined, 'prompt');
    },
    close: () => opened.close(),
  };
}

function unreadyWhy(spool: OpenSpool, store: EmbeddedStore, metrics: Gateway['metrics']): string[] {
  const healthy = spool.healthy();
  metrics.spoolHealthy(healthy);
  return [
    ...(healthy ? [] : ['the record cannot be written']),
    ...(store.healthy() ? [] : ['the store cannot be written']),
  ];
}

/** The gate with new rules and prices. Throws what is wrong with them. */
function reloaded(config: LoadedConfig, gate: Gateway, next: Sources): Gateway {
  const swapped = { judge: judgeOf(next.policies, remotesOf(config)), cashier: cashierOf(next.prices) };
  const lost = configProblems(config, swapped.cashier);
  if (lost.length > 0) throw new Error(lost.map((p) => `${config.file}: ${p}`).join('\n'));
  return Object.freeze({ ...gate, ...swapped });
}

/** The detectors that look at texts, those of others included. */
function openNoses(opened: Opened, config: LoadedConfig, gate: Gateway): Noses {
  const remote = openRemotes(remoteTermsOf(config), gate);
  opened.add(() => remote.close());
  return new Noses(gate.detectors, gate.log, remote.classifiers);
}

/** Opens record and store, makes them agree, and keeps them so: receipts are indexed, leases that ran out are swept. */
async function openRecords(
  opened: Opened,
  config: LoadedConfig,
  parts: Pick<Gateway, 'judge' | 'cashier' | 'clock' | 'log' | 'metrics'>,
): Promise<{ spool: OpenSpool; store: EmbeddedStore; shared: RedisStore | undefined; recovered: Recovered }> {
  const { judge, cashier, clock, log } = parts;
  const spool = await openSpool(join(config.state, 'spool'), { log });
  opened.add(() => spool.close());
  const store = openEmbedded(join(config.state, 'tollgate.db'), { clock });
  opened.add(() => store.close());
  const shared = await openShared(opened, config, parts, store);
  const ledger = (shared ?? store).ledger;
  const { open: unsealed } = await scanOpen(spool, { since: spool.head().seq });
  const recovered = await recover({
    spool,
    open: unsealed,
    calls: store.calls,
    deferrals: store.deferrals,
    ledger,
    policy: judge.digest,
    prices: cashier.digest,
  });
  opened.add(
    every(LAPSE_MS, () =>
      ledger.lapse(clock.now()).catch((error: unknown) => {
        log.error(
          { error: error instanceof Error ? error.message : 'unknown' },
          'holds whose lease ran out could not be swept; they are tried again',
        );
      }),
    ),
  );
  opened.add(
    spool.subscribe(({ seq, entry }, json) => {
      if (entry.kind === 'seal') store.calls.add(seq, entry, json);
    }),
  );
  return { spool, store, shared, recovered };
}

/** Opens the store that several gateways share, where one is configured: ledger, keys and halts. Record and index stay this gateway's. */
async function openShared(
  opened: Opened,
  { store, state }: LoadedConfig,
  { clock, log, metrics }: Pick<Gateway, 'clock' | 'log' | 'metrics'>,
  { runs }: EmbeddedStore,
): Promise<RedisStore | undefined> {
  if (!store) return undefined;
  const { openRedis } = await import('./stores/redis/open-redis.ts');
  const shared = await openRedis(store.redis, {
    clock,
    log,
    runs,
    idFile: join(state, 'gateway-id'),
    timeoutMs: store.timeout_ms,
    replicas: store.replicas,
    allowance: store.allowance_usd,
    onAllowance: (amount) => metrics.allowance(amount),
    onHealth: (up) => metrics.sharedStore(up),
  });
  opened.add(() => shared.close());
  return shared;
}

/** Keys and halts that gateways share, for commands beside them; undefined where the configuration has no shared store. */
export async function openSharedDesk({ store }: LoadedConfig, log: Log): Promise<RedisDesk | undefined> {
  if (!store) return undefined;
  const { openRedisDesk } = await import('./stores/redis/open-redis.ts');
  return openRedisDesk(store.redis, { clock: systemClock(), log, timeoutMs: store.timeout_ms });
}
