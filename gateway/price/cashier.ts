import type { Json } from '../domain/json.ts';
import type { Cost, Quote, RequestBound } from '../domain/pricing.ts';
import type { Digest, EpochMs } from '../domain/scalars.ts';
import type { Usage, UsageEntry } from '../domain/usage.ts';
import type { PriceTerms } from './explain.ts';
import type { ToolPrice, ToolRun } from './tool-price.ts';

/** The compiled price tables. Pure and total: `at` is handed in, an unknown price is `unpriced` and never $0. */
export interface Cashier {
  /** of everything that can change a price, tool prices included */
  readonly digest: Digest;
  readonly providers: readonly string[];
  /** The most the request can cost at `at`; `strict` takes a byte for a token, for hard budgets (meter.md 3.1). */
  quote(provider: string, bound: RequestBound, at: EpochMs, strict: boolean): Quote;
  /** What usage costs at `at` (the request's start). `requested` is the model asked for, used where the reply names none or an unknown one. */
  cost(provider: string, requested: string, usage: Usage, at: EpochMs): Cost;
  /** On what terms an entry of usage is priced, for people; undefined where no row answers to its model. */
  terms(provider: string, requested: string, entry: UsageEntry, at: EpochMs): PriceTerms | undefined;
  /**
   * The most one call of a tool can cost at `at`, before it runs. `server`: the MCP server's configured name, or the label a model
   * gave it; undefined: a tool of the agent itself. Undefined: nobody wrote a price (unpriced, never $0).
   */
  tool(server: string | undefined, tool: string, args: Json, at: EpochMs): ToolPrice | undefined;
  /** What an executed call of a tool cost; `at` is when it started, so that quote and cost read the same row. */
  toolCost(server: string | undefined, tool: string, args: Json, run: ToolRun, at: EpochMs): ToolPrice | undefined;
}
