import type { Point } from '../domain/action.ts';
import type { Digest, EpochMs } from '../domain/scalars.ts';
import type { Snapshot } from '../domain/snapshot.ts';
import type { Verdict } from '../domain/verdict.ts';

/** What narrows an action down before any fact is gathered. */
export interface Selection {
  readonly point: Point;
  readonly tool?: string | undefined;
  readonly server?: string | undefined;
  readonly model?: string | undefined;
  readonly provider?: string | undefined;
  readonly agent: string;
  readonly human?: string | undefined;
  readonly groups?: readonly string[] | undefined;
  readonly tier?: string | undefined;
  readonly tenant: string;
  /** where it is known, rules that have expired do not count */
  readonly now?: EpochMs | undefined;
}

/** What the rules that could apply to a selection need. */
export interface Relevance {
  /** any rule at all could match; false: the default decides and nothing has to be gathered */
  readonly any: boolean;
  /** names of the detectors those rules read */
  readonly detectors: readonly string[];
  /** some enforced rule could deny, escalate, transform or halt, or the default denies: what is judged must be held until it is */
  readonly binding: boolean;
  /** some enforced rule redacts text here: a stream needs its look-behind */
  readonly redacts: boolean;
  /** a rule says `watch: whole` */
  readonly whole: boolean;
}

/** The compiled policy. Pure and total: no clock, no randomness, no I/O; the same snapshot always gives the same verdict. */
export interface Judge {
  readonly digest: Digest;
  /** how many rules are in force */
  readonly size: number;
  relevance(selection: Selection): Relevance;
  /** Never throws: what breaks is a denial with a `runtime_error:*` reason. */
  evaluate(snapshot: Snapshot): Verdict;
}

/** Hex SHA-256 of a UTF-8 text; handed in because this room has no platform. */
export type Sha256 = (text: string) => string;
