import type { Budget, Rate } from '../domain/budget.ts';
import type { Judge } from '../policy/judge.ts';
import type { Calls } from '../ports/calls.ts';
import type { Clock, Ids } from '../ports/clock.ts';
import type { Deferrals } from '../ports/deferrals.ts';
import type { Detector } from '../ports/detector.ts';
import type { Dialect } from '../ports/dialect.ts';
import type { Identity } from '../ports/identity.ts';
import type { Ledger } from '../ports/ledger.ts';
import type { Log } from '../ports/log.ts';
import type { Metrics } from '../ports/metrics.ts';
import type { Runs } from '../ports/runs.ts';
import type { Spool } from '../ports/spool.ts';
import type { Upstream, UpstreamCredential } from '../ports/upstream.ts';
import type { Cashier } from '../price/cashier.ts';
import type { BudgetWatch } from './budget-watch.ts';
import type { Halting } from './halting.ts';
import type { PassedResults } from './passed-results.ts';
import type { Proposals } from './proposals.ts';
import type { RunTokens } from './run-tokens.ts';

/** A credential of the gate's own for an upstream; undefined: the caller's passes through. */
export type Credential = UpstreamCredential;

/** A further route of an upstream that the configuration lets through. */
export interface OpenRoute {
  /** first path segment below the version: `models`, `files` … */
  readonly name: string;
  readonly methods: readonly string[];
}

/** A destination: where it is, which languages it speaks, whose prices hold. */
export interface Destination {
  readonly name: string;
  readonly origin: string;
  /** path prefix of `base_url`, without a trailing slash */
  readonly basePath: string;
  readonly dialects: readonly Dialect[];
  readonly credential: Credential | undefined;
  /** the price table's provider */
  readonly prices: string;
  readonly routes: readonly OpenRoute[];
}

export interface Limits {
  readonly requestBytes: number;
  /** a reply that has to be read whole may not be larger */
  readonly replyBytes: number;
  /** least output tokens a clamp leaves; below that the call is denied */
  readonly minUseful: number;
  /** how long a hold stays open without being renewed */
  readonly leaseMs: number;
  /** an open stream that is being held gets a keep-alive this often */
  readonly keepAliveMs: number;
  /** what becomes of the upstream call when the client leaves */
  readonly onAbort: 'drain' | 'cancel';
  readonly drainMs: number;
  readonly drainBytes: number;
}

/** Everything one call needs, frozen; a reload builds a new one and calls in flight finish on the old. */
export interface Gateway {
  readonly destinations: ReadonlyMap<string, Destination>;
  readonly budgets: readonly Budget[];
  /** limits of requests and tokens */
  readonly rates: readonly Rate[];
  readonly judge: Judge;
  readonly cashier: Cashier;
  readonly detectors: ReadonlyMap<string, Detector>;
  readonly identity: Identity;
  readonly ledger: Ledger;
  readonly runs: Runs;
  readonly halting: Halting;
  readonly watch: BudgetWatch;
  readonly tokens: RunTokens;
  readonly proposals: Proposals;
  /** by the rules of `judge` */
  readonly passed: PassedResults;
  readonly calls: Calls;
  readonly deferrals: Deferrals;
  readonly spool: Spool;
  readonly upstream: Upstream;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly limits: Limits;
  /** runs without any rule: only by explicit flag */
  readonly unpoliced: boolean;
}
