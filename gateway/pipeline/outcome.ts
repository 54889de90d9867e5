import type { FaultCode } from '../domain/fault.ts';
import type { Ending } from '../domain/receipt.ts';
import type { Usage } from '../domain/usage.ts';
import type { Deferred, MessageMark } from '../ports/dialect.ts';

/** What carrying a call came to. */
export interface Outcome {
  readonly ending: Ending;
  /** undefined: the reply showed none; the hold is the charge unless `served` is false */
  readonly usage: Usage | undefined;
  /** false: the upstream certainly produced nothing that it bills */
  readonly served: boolean;
  /** why a stream was broken off */
  readonly fault?: FaultCode | undefined;
  readonly servedModel?: string | undefined;
  /** least output tokens seen, where the reply ended early */
  readonly outputFloor: number;
  /** how often the provider ran something of its own, where the reply ended early */
  readonly providerRuns: number;
  readonly answer?: MessageMark | undefined;
  /** the visible text of the answer, where there is one; put together when somebody asks */
  readonly text?: (() => string) | undefined;
  readonly issuedIds: readonly string[];
  /** the usage comes later; the hold stays open */
  readonly deferred?: Deferred | undefined;
}

export const NOT_SERVED: Outcome = {
  ending: 'upstream_error',
  usage: undefined,
  served: false,
  outputFloor: 0,
  providerRuns: 0,
  issuedIds: [],
};
