import { collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Metrics } from '../ports/metrics.ts';
import { LabelValues, Series } from './series.ts';

export interface Scrape {
  readonly contentType: string;
  readonly body: string;
}

export interface ScrapedMetrics extends Metrics {
  /** everything so far, in the Prometheus text format */
  scrape(): Promise<Scrape>;
}

const NANO = 1e-9;
const OVERHEAD_BUCKETS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1];
const DURATION_BUCKETS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1200];

const statusClass = (status: number): string =>
  status >= 100 && status < 600 ? `${Math.floor(status / 100)}xx` : 'none';

function openCallMetrics(registry: Registry): Pick<Metrics, 'call' | 'overhead' | 'inFlight'> {
  const [models, agents, tenants] = [new LabelValues(200), new LabelValues(200), new LabelValues(200)];
  const series = (name: string, help: string, names: readonly string[], unit?: number) =>
    new Series(registry, name, help, names, unit);
  const calls = series('tollgate_calls_total', 'calls that ended', [
    'upstream',
    'dialect',
    'model',
    'status_class',
    'ending',
  ]);
  const tokens = series('tollgate_tokens_total', 'tokens that were charged', ['upstream', 'model', 'kind']);
  const costNames = ['upstream', 'model', 'agent', 'tenant'];
  const cost = series('tollgate_cost_usd_total', 'money that was charged, USD', costNames, NANO);
  const registers = [registry];
  const duration = new Histogram({
    name: 'tollgate_call_duration_seconds',
    help: 'from the first byte of the request to the end of the reply',
    labelNames: ['upstream', 'model'],
    buckets: DURATION_BUCKETS,
    registers,
  });
  const overhead = new Histogram({
    name: 'tollgate_overhead_seconds',
    help: "the gate's own time before the request went upstream",
    buckets: OVERHEAD_BUCKETS,
    registers,
  });
  const inFlight = new Gauge({ name: 'tollgate_in_flight_calls', help: 'calls that have not ended', registers });
  return {
    call(done): void {
      const { upstream, dialect, ending } = done;
      const model = models.get(done.model, done.status < 400);
      calls.add(1, upstream, dialect, model, statusClass(done.status), ending);
      duration.observe({ upstream, model }, done.seconds);
      for (const kind of ['input', 'output', 'cache_read', 'cache_write'] as const) {
        if (done.tokens[kind] > 0) tokens.add(done.tokens[kind], upstream, model, kind);
      }
      if (done.cost > 0n)
        cost.add(Number(done.cost), upstream, model, agents.get(done.agent), tenants.get(done.tenant));
    },
    overhead: (seconds) => overhead.observe(seconds),
    inFlight: (change) => inFlight.inc(change),
  };
}

function openGateMetrics(registry: Registry): Omit<Metrics, 'call' | 'overhead' | 'inFlight'> {
  const rules = new LabelValues(500);
  const registers = [registry];
  const series = (name: string, help: string, names: readonly string[], unit?: number) =>
    new Series(registry, name, help, names, unit);
  const gauge = <Name extends string>(name: string, help: string, labelNames: Name[] = []) =>
    new Gauge({ name, help, labelNames, registers });
  const decisions = series('tollgate_decisions_total', 'verdicts', ['point', 'decision', 'rule']);
  const faults = series('tollgate_faults_total', 'calls that failed inside the gate or upstream', ['code']);
  const conflicts = series('tollgate_identity_conflict_total', 'names that lost against a stronger source', ['kind']);
  const overrun = series('tollgate_budget_overrun_usd_total', 'money spent beyond a limit, USD', [], NANO);
  const thresholds = series('tollgate_budget_threshold_total', 'budgets that passed a part of their limit, per cent', [
    'scope',
    'threshold',
  ]);
  const allowance = series(
    'tollgate_allowance_usd_total',
    'money granted locally while the shared store was away, USD',
    [],
    NANO,
  );
  const shipped = series('tollgate_shipped_lines_total', 'audit lines that a sink took', ['sink']);
  const failures = series('tollgate_ship_failures_total', 'batches that a sink refused or did not answer', ['sink']);
  const reloads = series('tollgate_reloads_total', 'reloads of rules or prices', ['what', 'result']);
  const lag = gauge('tollgate_ship_lag_lines', 'audit lines that a sink has not taken yet', ['sink']);
  const healthy = gauge('tollgate_spool_healthy', '1 while the audit spool can be written');
  const shared = gauge('tollgate_shared_store_up', '1 while the store that gateways share answers');
  const grants = series('tollgate_grants_total', 'budgeted calls granted out of leases or by asking the shared store', [
    'from',
  ]);
  const leases = gauge('tollgate_open_leases', 'leases that the shared store holds for this gate');
  const recalls = series('tollgate_lease_recalls_total', 'times that leases of other gates were asked for', ['result']);
  const classified = series('tollgate_remote_detector_questions_total', 'texts that a remote detector was to look at', [
    'detector',
    'result',
  ]);
  const breaker = gauge('tollgate_remote_detector_open', '1 while a remote detector fails and is not asked', [
    'detector',
  ]);
  const unpoliced = gauge('tollgate_unpoliced', '1 where the gate runs without a policy');
  return {
    decision: (point, decision, rule) => decisions.add(1, point, decision, rule === undefined ? '' : rules.get(rule)),
    fault: (code) => faults.add(1, code),
    identityConflict: (kind) => conflicts.add(1, kind),
    budgetThreshold: (scope, threshold) => thresholds.add(1, scope, String(threshold)),
    overrun: (amount) => overrun.add(Number(amount)),
    allowance: (amount) => allowance.add(Number(amount)),
    sharedStore: (up) => shared.set(up ? 1 : 0),
    grant: (from) => grants.add(1, from),
    leases: (open) => leases.set(open),
    recall: (returned) => recalls.add(1, returned ? 'returned' : 'unanswered'),
    classifier: (detector, result) => classified.add(1, detector, result),
    classifierOpen: (detector, open) => breaker.set({ detector }, open ? 1 : 0),
    shipped: (sink, lines) => shipped.add(lines, sink),
    shipLag: (sink, lines) => lag.set({ sink }, lines),
    shipFailure: (sink) => failures.add(1, sink),
    reload: (what, ok) => reloads.add(1, what, ok ? 'ok' : 'failed'),
    spoolHealthy: (ok) => healthy.set(ok ? 1 : 0),
    unpoliced: (on) => unpoliced.set(on ? 1 : 0),
  };
}

/** The gate's counts, and those of the process, in a registry of their own. Make one per process: it outlives reloads. */
export function createMetrics(): ScrapedMetrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  return {
    ...openCallMetrics(registry),
    ...openGateMetrics(registry),
    scrape: async () => ({ contentType: registry.contentType, body: await registry.metrics() }),
  };
}
