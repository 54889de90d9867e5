import type { WeighedPrompt } from '../../domain/pricing.ts';
import type { EpochMs } from '../../domain/scalars.ts';
import type { RunFacts } from '../../domain/snapshot.ts';
import type {
  Conversation,
  CountedTurn,
  RunSpace,
  Runs,
  RunUpdate,
  StepTicket,
  ToolSighting,
} from '../../ports/runs.ts';
import { ConversationIndex } from './conversation-index.ts';
import type { HaltKind, Halts } from './halts.ts';
import type { RunLabels } from './run-labels.ts';
import { RunLog, type RunPast } from './run-log.ts';

const RETRY_MS = 10 * 60_000;
const REQUESTS_PER_RUN = 64;
const PARTS_PER_RUN = 4096;

export interface RunBounds {
  /** latest runs remembered per (tenant, key) */
  readonly perSpace: number;
  readonly total: number;
}

interface Asked {
  readonly step: number;
  attempt: number;
  at: EpochMs;
  failed: boolean;
}

interface Run {
  readonly log: RunLog;
  readonly asked: Map<string, Asked>;
  readonly parts: Set<string>;
}

interface Space {
  /** least recently used first */
  readonly runs: Map<string, Run>;
  readonly index: ConversationIndex;
}

/**
 * Runs in memory, the latest per space; beyond the bounds the longest unused is forgotten. A run met again after a restart or
 * after being forgotten gets its steps and its spending back from `past`, and its labels; its log of tools starts anew.
 */
export class EmbeddedRuns implements Runs {
  readonly #past: (space: RunSpace, run: string) => RunPast | undefined;
  readonly #halts: Halts;
  readonly #labels: RunLabels;
  readonly #bounds: RunBounds;
  /** least recently used first */
  readonly #spaces = new Map<string, Space>();
  #size = 0;
  /** the run used last: a call asks for its own many times in a row */
  #last: { readonly tenant: string; readonly key: string; readonly id: string; readonly run: Run } | undefined;

  constructor(
    past: (space: RunSpace, run: string) => RunPast | undefined,
    halts: Halts,
    labels: RunLabels,
    bounds: RunBounds,
  ) {
    this.#past = past;
    this.#halts = halts;
    this.#labels = labels;
    this.#bounds = bounds;
  }

  infer(space: RunSpace, conversation: Conversation): string | undefined {
    return this.#spaces.get(nameOf(space))?.index.find(conversation);
  }

  enter(space: RunSpace, run: string, at: EpochMs, requestHash: string, isRetry: boolean): StepTicket {
    const { log, asked } = this.#run(space, run);
    const before = asked.get(requestHash);
    const first = !log.carried;
    if (before && (isRetry || before.failed) && at - before.at <= RETRY_MS) {
      before.attempt += 1;
      before.at = at;
      before.failed = false;
      log.retries = before.attempt - 1;
      return { step: before.step, attempt: before.attempt, first };
    }
    log.begin(at);
    log.steps += 1;
    log.retries = 0;
    asked.delete(requestHash);
    asked.set(requestHash, { step: log.steps, attempt: 1, at, failed: false });
    if (asked.size > REQUESTS_PER_RUN) asked.delete(asked.keys().next().value as string);
    return { step: log.steps, attempt: 1, first };
  }

  facts(space: RunSpace, run: string, now: EpochMs): RunFacts {
    return this.#run(space, run).log.facts(now);
  }

  factsWith(space: RunSpace, run: string, now: EpochMs, sighting: ToolSighting): RunFacts {
    return this.#run(space, run).log.facts(now, sighting);
  }

  sight(space: RunSpace, run: string, sighting: ToolSighting, at: EpochMs): void {
    this.#run(space, run).log.sight(sighting, at);
  }

  weigh(space: RunSpace, run: string, turn: CountedTurn): WeighedPrompt {
    return this.#run(space, run).log.weigh(turn);
  }

  attempted(space: RunSpace, run: string, sighting: ToolSighting): void {
    this.#run(space, run).log.attempted(sighting);
  }

  returned(space: RunSpace, run: string, callId: string, hash: string): void {
    this.#run(space, run).log.returned(callId, hash);
  }

  spawned(space: RunSpace, parent: string, run: string, child: string, at: EpochMs): void {
    const { log } = this.#run(space, run);
    this.#run(space, parent).log.spawned(child, log, at);
  }

  update(space: RunSpace, run: string, change: RunUpdate): void {
    const { log, asked } = this.#run(space, run);
    log.spend(change.at, change.cost);
    if (change.read) log.turned(change.read);
    if (change.sketch) log.answered(change.sketch);
    if (change.answer) log.carried = true;
    const request = change.requestHash === undefined ? undefined : asked.get(change.requestHash);
    if (request) request.failed = change.answer === undefined;
    this.#space(space).index.add(run, change.conversation, change.answer, change.issuedIds);
  }

  label(space: RunSpace, run: string, labels: readonly string[], at: EpochMs): void {
    const { log } = this.#run(space, run);
    log.begin(at);
    const fresh = log.label(labels);
    if (fresh.length > 0) this.#labels.add(space, run, fresh, at);
  }

  halt(kind: HaltKind, id: string): void {
    this.#halts.add(kind, id);
  }

  /** Lifts a halt; false where there is none. */
  resume(kind: HaltKind, id: string): boolean {
    return this.#halts.lift(kind, id);
  }

  halted({ tenant, key }: RunSpace, run: string, agent: string, human: string | undefined): HaltKind | undefined {
    if (this.#halts.has('run', `${tenant}/${key}/${run}`)) return 'run';
    if (this.#halts.has('agent', `${tenant}/${agent}`)) return 'agent';
    return human !== undefined && this.#halts.has('human', `${tenant}/${human}`) ? 'human' : undefined;
  }

  firstSight(space: RunSpace, run: string, partHash: string): boolean {
    const { parts } = this.#run(space, run);
    if (parts.has(partHash)) return false;
    parts.add(partHash);
    if (parts.size > PARTS_PER_RUN) parts.delete(parts.values().next().value as string);
    return true;
  }

  #space(space: RunSpace): Space {
    const name = nameOf(space);
    const known = this.#spaces.get(name) ?? { runs: new Map(), index: new ConversationIndex() };
    this.#spaces.delete(name);
    this.#spaces.set(name, known);
    return known;
  }

  #run(space: RunSpace, id: string): Run {
    const last = this.#last;
    if (last?.id === id && last.key === space.key && last.tenant === space.tenant) return last.run;
    const run = this.#use(space, id);
    this.#last = { tenant: space.tenant, key: space.key, id, run };
    return run;
  }

  /** Makes a run the latest used of its space, and its space of all. */
  #use(space: RunSpace, id: string): Run {
    const { runs } = this.#space(space);
    const known = runs.get(id);
    if (known) {
      runs.delete(id);
      runs.set(id, known);
      return known;
    }
    const run = { log: new RunLog(id, this.#past(space, id)), asked: new Map(), parts: new Set<string>() };
    run.log.label(this.#labels.of(space, id));
    runs.set(id, run);
    this.#size += 1;
    if (runs.size > this.#bounds.perSpace) this.#forgetOldest(nameOf(space));
    if (this.#size > this.#bounds.total) this.#forgetOldest(this.#spaces.keys().next().value as string);
    return run;
  }

  #forgetOldest(name: string): void {
    const space = this.#spaces.get(name);
    const oldest = space?.runs.keys().next().value;
    if (!space || oldest === undefined) return;
    space.runs.delete(oldest);
    space.index.forget(oldest);
    this.#last = undefined;
    this.#size -= 1;
    if (space.runs.size === 0) this.#spaces.delete(name);
  }
}

const nameOf = ({ tenant, key }: RunSpace): string => `${tenant}\u0000${key}`;
