import type { Plane, Point } from './action.ts';
import type { FaultCode } from './fault.ts';
import type { Json } from './json.ts';
import type { CostLine } from './pricing.ts';
import type { Principal } from './principal.ts';
import type { CallId, Digest, EpochMs } from './scalars.ts';
import type { Certainty, Usage } from './usage.ts';
import type { Decision, RuleHit } from './verdict.ts';

/** What was judged and how, in a receipt: identities and rule names, never the content. */
export interface JudgedAction {
  readonly point: Point;
  readonly plane: Plane;
  readonly tool?: string | undefined;
  readonly tool_call_id?: string | undefined;
  readonly decision: Decision;
  readonly rule?: string | undefined;
  readonly reason?: string | undefined;
  readonly hits: readonly RuleHit[];
  /** kinds and counts of findings: `{ "secret.aws_access_key": 1 }` */
  readonly findings?: Readonly<Record<string, number>> | undefined;
  readonly input_identity: Digest;
  /** what a transform made of it; absent: the same as `input_identity` */
  readonly enforced_identity?: Digest | undefined;
}

/** How a call ended. `lapsed`: the gate died in mid-call and recovery charged the hold. */
export type Ending =
  | 'completed'
  | 'denied'
  | 'refused'
  | 'upstream_error'
  | 'upstream_broke'
  | 'client_left'
  | 'cut'
  | 'lapsed';

/** The write-ahead line: what is about to be carried. Durable before the first byte leaves. */
export interface BeginEntry {
  readonly kind: 'begin';
  readonly id: CallId;
  readonly at: EpochMs;
  readonly principal: Principal;
  readonly step: number;
  readonly upstream: string;
  readonly dialect: string;
  readonly model: string;
  /** what the ledger holds, in nano-dollars, and on which accounts; `leases`: of which lease on each it is a part */
  readonly hold: {
    readonly amount: string;
    readonly accounts: readonly string[];
    readonly leases?: readonly string[] | undefined;
  };
}

/** The sealed receipt: one for each call that arrived, whatever became of it. */
export interface SealEntry {
  readonly kind: 'seal';
  readonly id: CallId;
  /** when the call arrived */
  readonly at: EpochMs;
  readonly principal?: Principal | undefined;
  readonly step: number;
  readonly attempt: number;
  readonly upstream: string;
  readonly dialect: string;
  readonly model: string;
  readonly served_model?: string | undefined;
  readonly stream: boolean;
  /** HTTP status said to the caller; 0 where none was */
  readonly status: number;
  readonly ending: Ending;
  readonly fault?: FaultCode | undefined;
  readonly actions: readonly JudgedAction[];
  readonly usage?: Usage | undefined;
  readonly certainty?: Certainty | undefined;
  /** decimal strings of US dollars */
  readonly quote_usd?: string | undefined;
  readonly cost_usd: string;
  readonly cost_status?: 'exact' | 'estimated' | 'unpriced' | undefined;
  readonly cost_lines?: readonly (Omit<CostLine, 'amount'> & { readonly pico: string })[] | undefined;
  readonly provider_cost_usd?: string | undefined;
  /**
   * which steps caused the cost: step, source, tokens, nano-dollars, and `measured` where counts of the provider alone say so; without it the
   * share is apportioned by length. They add up to `cost_usd`. Absent: its own step did
   */
  readonly causes?:
    | readonly (readonly [step: number, source: string, tokens: number, nano: string, how?: 'measured'])[]
    | undefined;
  /** tokens that a clamp left of the caller's output cap */
  readonly clamped_to?: number | undefined;
  readonly latency_ms: number;
  readonly ttfb_ms?: number | undefined;
  readonly policy: Digest;
  readonly prices: Digest;
  readonly notes?: readonly string[] | undefined;
  /** its usage comes later: the hold stays open until a receipt `settles` it */
  readonly deferred?: DeferredTerms | undefined;
  /** the deferred call that this receipt charges */
  readonly settles?: CallId | undefined;
}

/** What a call that is charged later leaves open. */
export interface DeferredTerms {
  /** the provider's id of what was begun */
  readonly object: string;
  /** from then on the hold is the charge */
  readonly until: EpochMs;
  /** nano-dollars */
  readonly hold: string;
  /** how many requests it consists of */
  readonly requests: number;
}

/** Things that happen to the gate itself: start, reload, recovery, key made. */
export interface EventEntry {
  readonly kind: 'event';
  readonly at: EpochMs;
  readonly name: string;
  readonly detail: { readonly [name: string]: Json };
}

export type Entry = BeginEntry | SealEntry | EventEntry;
