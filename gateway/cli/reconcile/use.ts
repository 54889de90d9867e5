/** What was used: tokens by the four kinds that exports tell apart, calls, and picodollars. */
export interface Use {
  readonly calls: number;
  readonly input: number;
  readonly cache_read: number;
  readonly cache_write: number;
  readonly output: number;
  /** what the tokens cost; undefined: not stated */
  readonly tokenCost: bigint | undefined;
  /** what tools and other fees cost; undefined: not stated */
  readonly feeCost: bigint | undefined;
  /** picodollars that an export's rounding can be off by */
  readonly slack: bigint;
}

export const NO_USE: Use = {
  calls: 0,
  input: 0,
  cache_read: 0,
  cache_write: 0,
  output: 0,
  tokenCost: undefined,
  feeCost: undefined,
  slack: 0n,
};

const sum = (a: bigint | undefined, b: bigint | undefined): bigint | undefined =>
  a === undefined ? b : b === undefined ? a : a + b;

export const addUse = (a: Use, b: Use): Use => ({
  calls: a.calls + b.calls,
  input: a.input + b.input,
  cache_read: a.cache_read + b.cache_read,
  cache_write: a.cache_write + b.cache_write,
  output: a.output + b.output,
  tokenCost: sum(a.tokenCost, b.tokenCost),
  feeCost: sum(a.feeCost, b.feeCost),
  slack: a.slack + b.slack,
});

/** Tokens of all kinds. */
export const tokensOf = (use: Use): number => use.input + use.cache_read + use.cache_write + use.output;

/** Where a use belongs: the UTC day, the model and, where keys are mapped, the key. */
export interface Place {
  /** `2026-11-22` */
  readonly day: string;
  /** the row of the price table where there is one, else the id as it was written; `*`: all models, where the export names none */
  readonly model: string;
  /** a gateway key that provider keys were mapped to */
  readonly key: string | undefined;
}

export const placeId = ({ day, model, key }: Place): string => JSON.stringify([day, model, key ?? null]);
