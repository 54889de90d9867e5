import type { Point, ToolRef } from '../domain/action.ts';
import type { Json } from '../domain/json.ts';
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
  /** some enforced rule puts values back in place of tokens here */
  readonly rehydrates: boolean;
  /** a rule says `watch: whole` */
  readonly whole: boolean;
}

/** The compiled policy. Pure and total: no clock, no randomness, no I/O; the same snapshot always gives the same verdict. */
export interface Judge {
  readonly digest: Digest;
  /** how many rules are in force */
  readonly size: number;
  /** Tokens of this kind may have to become their values again, so that the run has to keep those. */
  keeps(kind: string): boolean;
  /** The arguments by which a call of the tool is known again: those that the policy calls volatile are left out. */
  steady(tool: string, args: Json): Json;
  /** Some rule asks for this fact, such as `run.steps`: one that takes work is worked out only then. */
  reads(fact: string): boolean;
  relevance(selection: Selection): Relevance;
  /** Never throws: what breaks is a denial with a `runtime_error:*` reason. */
  evaluate(snapshot: Snapshot): Verdict;
  /**
   * Why no call of a tool can pass at `pre_tool_call`, whatever its arguments, its run, its budgets and the time of day: undefined where one
   * could. Sound, not complete: what is hidden by `denied` is denied by `evaluate` for every argument; a rule that depends on anything
   * but principal, server, tool and pin never hides. `hidden`: a `hide` transform names it, and the corridor has to deny the call.
   */
  standing(prospect: Prospect): ToolStanding | undefined;
}

/** A caller and a tool, before there is a call. */
export interface Prospect extends Pick<Snapshot, 'now' | 'agent' | 'human' | 'tenant' | 'delegation'> {
  readonly tool: ToolRef;
  /** further names a `hide` may know the tool by, such as the one the federated endpoint shows */
  readonly names: readonly string[];
}

/** Why a tool does not show. */
export interface ToolStanding {
  readonly by: 'denied' | 'hidden';
  /** undefined: no rule allows it, and a bundle's default denies */
  readonly rule?: string | undefined;
  readonly reason?: string | undefined;
  readonly message?: string | undefined;
}

/** Hex SHA-256 of a UTF-8 text; handed in because this room has no platform. */
export type Sha256 = (text: string) => string;
