import type { WeighedPrompt } from '../domain/pricing.ts';
import type { EpochMs, Nano } from '../domain/scalars.ts';
import type { SimHash } from '../domain/simhash.ts';
import type { RunFacts } from '../domain/snapshot.ts';
import type { MessageMark } from './dialect.ts';

/** Where a run's id is unique: two keys that send the same id have two runs. */
export interface RunSpace {
  readonly tenant: string;
  /** the key's id, or `open` */
  readonly key: string;
}

/** What the conversation itself tells about its run. */
export interface Conversation {
  readonly dialect: string;
  readonly messages: readonly MessageMark[];
  readonly issuedIds: readonly string[];
}

export interface StepTicket {
  /** ordinal of the model turn in the run, from 1 */
  readonly step: number;
  /** 1, or more for a retry of the same request */
  readonly attempt: number;
  /** none of the run's calls was answered yet: `agent_startup` is judged */
  readonly first: boolean;
}

/** What a finished call adds to its run. */
export interface RunUpdate {
  readonly at: EpochMs;
  readonly cost: Nano;
  readonly conversation: Conversation;
  /** the answer relayed, as the next request will repeat it */
  readonly answer?: MessageMark | undefined;
  readonly issuedIds: readonly string[];
  /** what the turn read, in tokens, where that is certain */
  readonly read?: { readonly input: number; readonly uncached: number } | undefined;
  /** of the text of its answer, where a rule asks for `run.near_duplicates` */
  readonly sketch?: SimHash | undefined;
  /** as given to `enter`: without an answer, the same request again is the next attempt of its step */
  readonly requestHash?: string | undefined;
}

/** A tool call as it enters the run's log. */
export interface ToolSighting {
  readonly tool: string;
  /** hash of tool name and canonical arguments */
  readonly key: string;
  /** the provider's id of the call, by which its result comes back */
  readonly callId?: string | undefined;
}

/** The texts of a request in the order a model reads them, and what the provider counted. */
export interface CountedTurn {
  readonly step: number;
  /** as served: another model counts otherwise */
  readonly model: string;
  /** a mark of the tools it declares */
  readonly tools: number;
  /** of each text, in UTF-16 units */
  readonly sizes: readonly number[];
  /** by which a run knows a text again (`textMark`); asked of few but the new ones */
  readonly markOf: (text: number) => number;
  /** what a text is, see `Origin`; asked of new ones */
  readonly sourceOf: (text: number) => string;
  /** the message a text stands in; texts of one message have the same */
  readonly messageOf: (text: number) => string;
  /** UTF-16 units of the request that are in none of its texts: tools, settings, wrapping */
  readonly around: number;
  /** all tokens of the prompt */
  readonly input: number;
  /** the provider's final count, of one prompt */
  readonly exact: boolean;
  /** tokens of the answer as the next request will repeat it; undefined where no count of the provider's is just that */
  readonly answer: number | undefined;
}

/** Memory of runs: which run a conversation belongs to, its steps and what happened in it. Bounded; losing it costs inference only. */
export interface Runs {
  /** The run this conversation continues (attribution.md 6), or undefined. Never looks outside `space`. */
  infer(space: RunSpace, conversation: Conversation): string | undefined;
  /** The call becomes a step of the run, or the next attempt of the step with the same request hash. */
  enter(space: RunSpace, run: string, at: EpochMs, requestHash: string, isRetry: boolean): StepTicket;
  facts(space: RunSpace, run: string, now: EpochMs): RunFacts;
  /** Facts as they would be with this call in the log; `identical_calls` and `cycle` count it. */
  factsWith(space: RunSpace, run: string, now: EpochMs, sighting: ToolSighting): RunFacts;
  /** A permitted tool call enters the log; `last_at` tells later ones when. */
  sight(space: RunSpace, run: string, sighting: ToolSighting, at: EpochMs): void;
  /**
   * Which step brought each stretch of a prompt, and how many of its tokens are whose. The weights add up to `input` or less: the rest
   * nothing in the request explains. What the model said belongs to the step that said it.
   */
  weigh(space: RunSpace, run: string, turn: CountedTurn): WeighedPrompt;
  /** A denied tool call counts as a repeat and in a cycle, not as a call: who proposes it over and over goes round all the same. */
  attempted(space: RunSpace, run: string, sighting: ToolSighting): void;
  /** A tool result came back for the first time, by the id of its call and a hash of it. */
  returned(space: RunSpace, run: string, callId: string, hash: string): void;
  /** `run` is, or speaks for, `child`, which `parent` began. */
  spawned(space: RunSpace, parent: string, run: string, child: string, at: EpochMs): void;
  update(space: RunSpace, run: string, change: RunUpdate): void;
  /** Labels are sticky: a later rule of the same run sees them. */
  label(space: RunSpace, run: string, labels: readonly string[], at: EpochMs): void;
  /** `id` is `<tenant>/<key>/<run>`, `<tenant>/<agent>` or `<tenant>/<human>`. Survives a restart. */
  halt(kind: 'run' | 'agent' | 'human', id: string): void;
  halted(space: RunSpace, run: string, agent: string, human: string | undefined): 'run' | 'agent' | 'human' | undefined;
  /** True the first time this part (by hash) is seen in the run: an old result is not recorded again. */
  firstSight(space: RunSpace, run: string, partHash: string): boolean;
}
