import { nanoToNumber } from '../../domain/money.ts';
import type { WeighedPrompt } from '../../domain/pricing.ts';
import { type EpochMs, type Nano, nano } from '../../domain/scalars.ts';
import type { SimHash } from '../../domain/simhash.ts';
import type { RunFacts } from '../../domain/snapshot.ts';
import type { CountedTurn, ToolSighting } from '../../ports/runs.ts';
import { RunSignals, type TurnInput } from './run-signals.ts';
import { RunTexts } from './run-texts.ts';

/** What a run had done before this process met it. */
export interface RunPast {
  readonly steps: number;
  readonly spent: Nano;
  readonly firstAt: EpochMs;
  /** at least one of its calls was carried */
  readonly carried: boolean;
}

const PERIODS = [2, 3, 4, 5, 6] as const;
const LONGEST_PERIOD = 6;
const VELOCITY_S = 60;
const NO_CYCLE = { period: 0, repeats: 0 } as const;

/** How the log of tool calls ends: enough of it to say what one more call makes of it. */
interface Tail {
  /** the last calls' keys, newest last, at most `LONGEST_PERIOD` */
  readonly keys: readonly string[];
  /** how often the last key stands in a row */
  readonly identical: number;
  /** per period: for how many calls in a row each equalled the one a period before */
  readonly echoes: readonly number[];
}

const EMPTY: Tail = { keys: [], identical: 0, echoes: PERIODS.map(() => 0) };

function follow(tail: Tail, key: string): Tail {
  const { keys } = tail;
  return {
    keys: [...keys.slice(-(LONGEST_PERIOD - 1)), key],
    identical: keys.at(-1) === key ? tail.identical + 1 : 1,
    echoes: PERIODS.map((period, i) => (keys.at(-period) === key ? (tail.echoes[i] as number) + 1 : 0)),
  };
}

/**
 * The cycle the log ends in: the period of 2 to 6 calls with most repeats, the smallest of equals; period 0 where nothing is
 * repeated. One call over and over is no cycle (`identical_calls` counts it). meter.md 5, L3.
 */
function cycleOf(tail: Tail): RunFacts['cycle'] {
  let best: RunFacts['cycle'] = NO_CYCLE;
  PERIODS.forEach((period, i) => {
    const repeats = Math.floor((tail.echoes[i] as number) / period) + 1;
    if (repeats >= 2 && tail.identical < period && repeats > best.repeats) best = { period, repeats };
  });
  return best;
}

/** What happened in one run. Time and memory do not grow with its length, only with the number of different tools and labels. */
export class RunLog {
  steps: number;
  carried: boolean;
  /** how often the request entered last was sent before without an answer */
  retries = 0;
  readonly #signals = new RunSignals();
  readonly #texts = new RunTexts();
  readonly #id: string;
  #spent: bigint;
  #firstAt: number | undefined;
  #tail = EMPTY;
  // Handed out in facts, so replaced and never changed.
  #labels: readonly string[] = [];
  #tools: readonly string[] = [];
  #calls: ReadonlyMap<string, number> = new Map();
  #lastAt: ReadonlyMap<string, EpochMs> = new Map();
  readonly #forgotten: true | undefined;
  /** money per second of the last minute, oldest first */
  readonly #pace: { second: number; cost: bigint }[] = [];
  /** what the log says now; a call asks several times in a row */
  #said: { readonly now: EpochMs; readonly steps: number; readonly facts: RunFacts } | undefined;
  /** the sum of `#pace` after the second `from` */
  #minute: { readonly from: number; sum: bigint } | undefined;

  constructor(id: string, past: RunPast | undefined) {
    this.#id = id;
    this.steps = past?.steps ?? 0;
    this.carried = past?.carried ?? false;
    this.#spent = past?.spent ?? 0n;
    this.#forgotten = this.steps > 0 ? true : undefined;
    this.#firstAt = past?.firstAt;
  }

  weigh(turn: CountedTurn): WeighedPrompt {
    return this.#texts.weigh(turn);
  }

  attempted({ key }: ToolSighting): void {
    this.#said = undefined;
    this.#tail = follow(this.#tail, key);
  }

  returned(callId: string, hash: string): void {
    this.#said = undefined;
    this.#signals.returned(callId, hash);
  }

  answered(sketch: SimHash): void {
    this.#said = undefined;
    this.#signals.answered(sketch);
  }

  turned(read: TurnInput): void {
    this.#said = undefined;
    this.#signals.turned(read);
  }

  /** This run began `child`, whose log is `log`, itself where they share one. */
  spawned(child: string, log: RunLog, at: EpochMs): void {
    this.#said = undefined;
    log.#said = undefined;
    this.#signals.spawned(child, at);
    if (log !== this) log.#signals.adoptedBy(this.#signals);
  }

  begin(at: EpochMs): void {
    this.#firstAt ??= at;
    this.#said = undefined;
  }

  spend(at: EpochMs, cost: Nano): void {
    this.#spent += cost;
    this.#said = undefined;
    const second = Math.floor(at / 1000);
    const last = this.#pace.at(-1);
    if (last && second <= last.second) last.cost += cost;
    else this.#pace.push({ second, cost });
    while ((this.#pace[0]?.second ?? second) <= second - VELOCITY_S) this.#pace.shift();
    if (this.#minute && this.#minute.from >= second - VELOCITY_S) this.#minute.sum += cost;
    else this.#minute = undefined;
  }

  /** Returns those it did not have. */
  label(labels: readonly string[]): readonly string[] {
    const fresh = [...new Set(labels)].filter((label) => !this.#labels.includes(label));
    if (fresh.length > 0) this.#labels = [...this.#labels, ...fresh];
    this.#said = undefined;
    return fresh;
  }

  sight({ tool, key, callId }: ToolSighting, at: EpochMs): void {
    this.#said = undefined;
    this.#signals.called(key, callId);
    this.#tail = follow(this.#tail, key);
    this.#calls = counted(this.#calls, tool);
    this.#lastAt = new Map(this.#lastAt).set(tool, at);
    if (!this.#tools.includes(tool)) this.#tools = [...this.#tools, tool];
  }

  facts(now: EpochMs, sighting?: ToolSighting): RunFacts {
    if (sighting) return this.#tell(now, sighting);
    const said = this.#said;
    if (said?.now === now && said.steps === this.steps && said.facts.retries === this.retries) return said.facts;
    const facts = this.#tell(now);
    this.#said = { now, steps: this.steps, facts };
    return facts;
  }

  #tell(now: EpochMs, sighting?: ToolSighting): RunFacts {
    const tail = sighting ? follow(this.#tail, sighting.key) : this.#tail;
    const isNew = sighting !== undefined && !this.#tools.includes(sighting.tool);
    return {
      id: this.#id,
      steps: this.steps,
      spent_usd: nanoToNumber(nano(this.#spent)),
      elapsed_s: Math.max(0, Math.floor((now - (this.#firstAt ?? now)) / 1000)),
      labels: this.#labels,
      tools: isNew ? [...this.#tools, sighting.tool] : this.#tools,
      calls: sighting ? counted(this.#calls, sighting.tool) : this.#calls,
      last_at: this.#lastAt,
      forgotten: this.#forgotten,
      identical_calls: tail.identical,
      cycle: cycleOf(tail),
      velocity_usd_per_min: nanoToNumber(nano(this.#lastMinute(now))),
      no_progress: this.#signals.noProgress(sighting?.key),
      context_growth: this.#signals.contextGrowth(),
      uncached_ratio: this.#signals.uncachedRatio(),
      near_duplicates: this.#signals.nearDuplicates(),
      retries: this.retries,
      fan_out_per_min: this.#signals.fanOut(now),
      depth: this.#signals.depth(),
    };
  }

  #lastMinute(now: EpochMs): bigint {
    const from = Math.floor(now / 1000) - VELOCITY_S;
    if (this.#minute?.from === from) return this.#minute.sum;
    const sum = this.#pace.reduce((total, { second, cost }) => (second > from ? total + cost : total), 0n);
    this.#minute = { from, sum };
    return sum;
  }
}

const counted = (calls: ReadonlyMap<string, number>, tool: string): ReadonlyMap<string, number> =>
  new Map(calls).set(tool, (calls.get(tool) ?? 0) + 1);
