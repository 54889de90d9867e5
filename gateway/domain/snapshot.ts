import type { Action } from './action.ts';
import type { Scope, WindowKind } from './budget.ts';
import type { PlacedFinding, PlacedToken } from './finding.ts';
import type { EpochMs } from './scalars.ts';

/** Facts about a run that rules may read (policy-language.md 3). Counts are whole numbers. */
export interface RunFacts {
  readonly id: string;
  readonly steps: number;
  readonly spent_usd: number;
  readonly elapsed_s: number;
  readonly labels: readonly string[];
  /** names of tools called so far, first call first */
  readonly tools: readonly string[];
  /** tool name → times called in this run */
  readonly calls: ReadonlyMap<string, number>;
  /** tool name → when this run last called it, this call left out; undefined: nobody keeps it, and rules that ask deny to be safe */
  readonly last_at?: ReadonlyMap<string, EpochMs> | undefined;
  /** the run is older than this gate's memory of its tool calls, so one that is not in `last_at` may have been made all the same */
  readonly forgotten?: boolean | undefined;
  /** how often the very same call (tool and arguments) came in a row, this one included */
  readonly identical_calls: number;
  readonly cycle: { readonly period: number; readonly repeats: number };
  readonly velocity_usd_per_min: number;
  /** how often this call, or the last one answered, brought the same result among the last 20; absent: nobody keeps it, as 0 */
  readonly no_progress?: number | undefined;
  /** input of the last turn over that of five turns ago, where no new call explains it; absent: 1 */
  readonly context_growth?: number | undefined;
  /** uncached input of the last turn over the median of those before; absent: 1 */
  readonly uncached_ratio?: number | undefined;
  /** of the last 20 answers those that say nearly the same as the last one, itself included; absent: nobody keeps it, as 0 */
  readonly near_duplicates?: number | undefined;
  /** how often this very request was sent before without an answer */
  readonly retries?: number | undefined;
  /** sub-agents that this run, or the one that spawned it, began within a minute */
  readonly fan_out_per_min?: number | undefined;
  /** how many runs stand above it, at most 32, and 32 where it stands above itself; absent: 0 */
  readonly depth?: number | undefined;
}

export interface BudgetFacts {
  readonly limit_usd: number;
  readonly spent_usd: number;
  readonly held_usd: number;
  readonly left_usd: number;
  readonly resets_in_s: number;
  readonly window: WindowKind;
}

/** Everything a verdict may depend on, gathered first and frozen: the same snapshot always gives the same verdict. */
export interface Snapshot {
  readonly now: EpochMs;
  readonly action: Action;
  readonly request: { readonly headers: Readonly<Record<string, string>>; readonly path: string; readonly ip: string };
  readonly agent: { readonly id: string; readonly name: string; readonly tier: string; readonly verified: boolean };
  readonly human: {
    readonly id: string;
    readonly email: string;
    readonly groups: readonly string[];
    readonly verified: boolean;
  };
  readonly tenant: { readonly id: string };
  readonly delegation: {
    readonly depth: number;
    readonly chain: readonly string[];
    readonly scopes: readonly string[];
  };
  readonly run: RunFacts;
  /** by scope; the tightest where several budgets limit one scope. A scope without a budget is absent. */
  readonly budget: Readonly<Partial<Record<Scope, BudgetFacts>>>;
  readonly quote: {
    readonly max_usd: number;
    readonly expected_usd: number;
    readonly priced: boolean;
    readonly bounded: boolean;
  };
  /** response points only; zero before */
  readonly usage: {
    readonly input: number;
    readonly output: number;
    readonly cache_read: number;
    readonly cache_write: number;
  };
  readonly cost_usd: number;
  readonly findings: readonly PlacedFinding[];
  /** what in the target looks like a token of the run, where a rule could put its value back */
  readonly tokens?: readonly PlacedToken[] | undefined;
}
