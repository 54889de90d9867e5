import { hash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import type { OpenSpool } from './audit/file-spool.ts';
import { sinks as sinkKinds } from './audit/sinks/_all.ts';
import { tuneCollector } from './compose/collector.ts';
import { every } from './compose/every.ts';
import { openMcp } from './compose/open-mcp.ts';
import { LAPSE_MS, openRecords } from './compose/open-records.ts';
import { Opened } from './compose/opened.ts';
import { startShippers } from './compose/start-shippers.ts';
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
import { BudgetWatch } from './pipeline/budget-watch.ts';
import { settleOverdue } from './pipeline/deferred.ts';
import { Noses } from './pipeline/detect.ts';
import type { Gateway } from './pipeline/gateway.ts';
import { Halting } from './pipeline/halting.ts';
import type { McpRoom } from './pipeline/mcp/room.ts';
import { PassedResults } from './pipeline/passed-results.ts';
import { Proposals } from './pipeline/proposals.ts';
import type { Recovered } from './pipeline/recover.ts';
import { RunTokens } from './pipeline/run-tokens.ts';
import { compilePolicy } from './policy/compile-policy.ts';
import type { Judge } from './policy/judge.ts';
import type { KnownDetector } from './policy/known-detectors.ts';
import type { Log } from './ports/log.ts';
import type { Cashier } from './price/cashier.ts';
import { compilePrices } from './price/compile.ts';
import type { EmbeddedStore } from './stores/embedded/open-embedded.ts';
import type { RedisDesk } from './stores/redis/open-redis.ts';
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

/** Opens every room in order and builds the gate; recovery is done when it resolves. Where one fails, none stays open. */
export async function compose(config: LoadedConfig, sources: Sources, log: Log, unpoliced: boolean): Promise<House> {
  tuneCollector();
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
    rates: ratesOf(config),
    judge,
    cashier,
    detectors,
    identity: createIdentity(config.access, (shared ?? store).keys, clock),
    ledger: (shared ?? store).ledger,
    runs: (shared ?? store).runs,
    halting: new Halting(log),
    watch: new BudgetWatch(),
    proposals: new Proposals(),
    passed: new PassedResults(),
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
  return Object.freeze({ ...gate, ...swapped, passed: new PassedResults() });
}

/** The detectors that look at texts, those of others included. */
function openNoses(opened: Opened, config: LoadedConfig, gate: Gateway): Noses {
  const remote = openRemotes(remoteTermsOf(config), gate);
  opened.add(() => remote.close());
  return new Noses(gate.detectors, gate.log, remote.classifiers);
}

/** Keys and halts that gateways share, for commands beside them; undefined where the configuration has no shared store. */
export async function openSharedDesk({ store }: LoadedConfig, log: Log): Promise<RedisDesk | undefined> {
  if (!store) return undefined;
  const { openRedisDesk } = await import('./stores/redis/open-redis.ts');
  return openRedisDesk(store.redis, { clock: systemClock(), log, timeoutMs: store.timeout_ms });
}
