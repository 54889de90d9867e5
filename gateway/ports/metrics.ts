import type { Point } from '../domain/action.ts';
import type { FaultCode } from '../domain/fault.ts';
import type { Nano } from '../domain/scalars.ts';
import type { Decision } from '../domain/verdict.ts';
import type { ClassifierResult } from './classifier.ts';

/** What the gate counts. Ids of runs, humans and keys never become labels. */
export interface Metrics {
  call(done: {
    readonly upstream: string;
    readonly dialect: string;
    readonly model: string;
    readonly status: number;
    readonly ending: string;
    readonly seconds: number;
    readonly cost: Nano;
    readonly tokens: {
      readonly input: number;
      readonly output: number;
      readonly cache_read: number;
      readonly cache_write: number;
    };
    readonly agent: string;
    readonly tenant: string;
  }): void;
  decision(point: Point, decision: Decision, rule: string | undefined): void;
  fault(code: FaultCode): void;
  /** the gate's own time before the request went upstream */
  overhead(seconds: number): void;
  identityConflict(kind: string): void;
  overrun(amount: Nano): void;
  /** a budget of this scope passed so many per cent */
  budgetThreshold(scope: string, threshold: number): void;
  /** granted on the local allowance while the shared store was away */
  allowance(amount: Nano): void;
  sharedStore(up: boolean): void;
  /** a budgeted call was granted: out of leases, or by asking the shared store */
  grant(from: 'lease' | 'store'): void;
  /** how many leases the shared store holds for this gateway */
  leases(open: number): void;
  /** leases of other gateways were asked for, and came back in time or did not */
  recall(returned: boolean): void;
  /** a question to a remote detector */
  classifier(detector: string, result: ClassifierResult): void;
  classifierOpen(detector: string, open: boolean): void;
  inFlight(change: 1 | -1): void;
  shipped(sink: string, lines: number): void;
  shipLag(sink: string, lines: number): void;
  shipFailure(sink: string): void;
  reload(what: 'policy' | 'prices', ok: boolean): void;
  spoolHealthy(ok: boolean): void;
  unpoliced(on: boolean): void;
}
