import type { Digest, Nano, Pico } from './scalars.ts';
import type { TokenLeaf } from './usage.ts';

/** What a request shows of its worst case; read by a dialect, priced by the cashier. */
export interface RequestBound {
  readonly model: string;
  /** size of the request body in UTF-8 bytes */
  readonly bytes: number;
  /** the caller's own output cap in tokens; undefined: none, the price row's `max_output` holds */
  readonly outputCap?: number | undefined;
  /** how many answers are asked for at once */
  readonly choices: number;
  /** the service tier asked for, the provider's word */
  readonly tier?: string | undefined;
  /** where it asks to be served, the provider's word */
  readonly region?: string | undefined;
  /** the longest cache write the request asks for */
  readonly cacheWrite?: '5m' | '1h' | undefined;
  /** content whose size the body does not show: `image`, `file`, `stored_context`, `audio` … */
  readonly opaque: readonly string[];
  /** provider-run tools: fee name → most uses, undefined where the request sets no bound */
  readonly serverTools: readonly { readonly fee: string; readonly maxUses?: number | undefined }[];
  /** measured units that the request shows and a model may be billed by: fee name → most of them (`second`, `character`) */
  readonly units?: Readonly<Record<string, number>> | undefined;
  /** hours that the input is asked to be kept (`cache_storage`, by the token-hour) */
  readonly storedHours?: number | undefined;
  /** it works on whatever model an earlier call named: bounded by the dearest one, and so priced */
  readonly anyModel?: boolean | undefined;
  /** the provider charges nothing for it, whatever it holds */
  readonly free?: boolean | undefined;
}

/** The most a call can cost, before it is carried. */
export interface Quote {
  readonly priced: boolean;
  /** false: something in the request has no bound; a hard budget caps or denies it */
  readonly bounded: boolean;
  readonly max: Nano;
  /** the part of `max` that no output cap can lower */
  readonly fixed: Nano;
  /** picodollars per output token, all choices together */
  readonly perOutputToken: Pico;
  readonly outputCap: number;
  readonly inputTokens: number;
  /** how many answers may each have `outputCap` tokens; absent: one */
  readonly choices?: number | undefined;
  /** why it is unpriced or unbounded, for people */
  readonly note?: string | undefined;
}

export interface CostLine {
  readonly model: string;
  readonly leaf: TokenLeaf | `fee:${string}`;
  readonly count: number;
  readonly amount: Pico;
}

/** The step that first brought something into its run, and what it is. */
export interface Origin {
  readonly step: number;
  /** `tool:<name>`, `input`, `said` (by the model or before the run), `request` (tools, settings), `output`, `hidden` */
  readonly source: string;
}

/** A prompt, weighed: who brought what is in it, each once, and its stretches in order. */
export interface WeighedPrompt {
  readonly origins: readonly Origin[];
  readonly stretches: readonly Stretch[];
}

export interface Stretch {
  /** which of the origins brought it */
  readonly by: number;
  readonly tokens: number;
  /** the provider's own counts say so; else its length does */
  readonly measured: boolean;
}

/** What of a call's charge one step of its run caused, by what it brought: a tool's result, the user's words, its own output. */
export interface Cause extends Origin {
  readonly tokens: number;
  readonly amount: Nano;
  /** by counts of the provider alone; else lengths of texts are in it */
  readonly measured: boolean;
}

/** `exact`: all leaves and the row known; `estimated`: something fell back; `unpriced`: no row, never $0. */
export interface Cost {
  readonly status: 'exact' | 'estimated' | 'unpriced';
  readonly total: Nano;
  /** picodollars per leaf; they add up to `total` before its one rounding */
  readonly lines: readonly CostLine[];
  /** the price table's own figure where the provider stated another */
  readonly ours?: Nano | undefined;
  readonly table: Digest;
}
