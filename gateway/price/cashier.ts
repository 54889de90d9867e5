import type { Cost, Quote, RequestBound } from '../domain/pricing.ts';
import type { Digest, EpochMs } from '../domain/scalars.ts';
import type { Usage } from '../domain/usage.ts';

/** The compiled price table. Pure and total: `at` is handed in, an unknown price is `unpriced` and never $0. */
export interface Cashier {
  readonly digest: Digest;
  readonly providers: readonly string[];
  /** The most the request can cost at `at`; `strict` takes a byte for a token, for hard budgets (meter.md 3.1). */
  quote(provider: string, bound: RequestBound, at: EpochMs, strict: boolean): Quote;
  /** What usage costs at `at` (the request's start). `requested` is the model asked for, used where the reply names none or an unknown one. */
  cost(provider: string, requested: string, usage: Usage, at: EpochMs): Cost;
}
