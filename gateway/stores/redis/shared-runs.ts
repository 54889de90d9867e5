import type { WeighedPrompt } from '../../domain/pricing.ts';
import { type EpochMs, epochMs } from '../../domain/scalars.ts';
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
import { type Link, Unreachable } from './link.ts';
import { Place } from './place.ts';
import { Script } from './script.ts';
import type { SharedHalts } from './shared-halts.ts';

const REMEMBERED = 10_000;
const KEPT_S = 7 * 86_400;
const NANO = 1e9;

// KEYS: the run. ARGV: seconds it is kept, then fields and values. Replies with the whole run. Losing it costs no money: it may expire.
const TELL = new Script(`
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
redis.call('EXPIRE', KEYS[1], ARGV[1])
return redis.call('HGETALL', KEYS[1])
`);

/** What the other gateways said of a run. */
interface Others {
  readonly steps: number;
  readonly spent: number;
  readonly labels: readonly string[];
}

interface Known {
  others: Others;
  own: readonly string[];
  telling: boolean;
  changed: boolean;
}

const NOTHING: Others = { steps: 0, spent: 0, labels: [] };

/**
 * Runs as all gateways know them. Each gateway tells its own steps, spending and labels of a run, in passing and in absolute numbers,
 * and hears those of the others: what it knows of them is as old as its last question, which `enter` asks before the call's reserve.
 * Halts are shared at once. Inference, the step's ordinal, `first`, tool logs, cycles and velocity are this gateway's own.
 */
export class SharedRuns implements Runs {
  readonly #own: Runs;
  readonly #link: Link;
  readonly #halts: SharedHalts;
  readonly #gateway: string;
  /** least recently used first */
  readonly #known = new Map<string, Known>();

  constructor(own: Runs, link: Link, halts: SharedHalts, gateway: string) {
    this.#own = own;
    this.#link = link;
    this.#halts = halts;
    this.#gateway = gateway;
  }

  infer(space: RunSpace, conversation: Conversation): string | undefined {
    return this.#own.infer(space, conversation);
  }

  enter(space: RunSpace, run: string, at: EpochMs, requestHash: string, isRetry: boolean): StepTicket {
    const ticket = this.#own.enter(space, run, at, requestHash, isRetry);
    this.#tell(space, run, at);
    return ticket;
  }

  facts(space: RunSpace, run: string, now: EpochMs): RunFacts {
    return this.#withOthers(space, run, this.#own.facts(space, run, now));
  }

  factsWith(space: RunSpace, run: string, now: EpochMs, sighting: ToolSighting): RunFacts {
    return this.#withOthers(space, run, this.#own.factsWith(space, run, now, sighting));
  }

  sight(space: RunSpace, run: string, sighting: ToolSighting, at: EpochMs): void {
    this.#own.sight(space, run, sighting, at);
  }

  weigh(space: RunSpace, run: string, turn: CountedTurn): WeighedPrompt {
    return this.#own.weigh(space, run, turn);
  }

  attempted(space: RunSpace, run: string, sighting: ToolSighting): void {
    this.#own.attempted(space, run, sighting);
  }

  returned(space: RunSpace, run: string, callId: string, hash: string): void {
    this.#own.returned(space, run, callId, hash);
  }

  spawned(space: RunSpace, parent: string, run: string, child: string, at: EpochMs): void {
    this.#own.spawned(space, parent, run, child, at);
  }

  update(space: RunSpace, run: string, change: RunUpdate): void {
    this.#own.update(space, run, change);
    this.#tell(space, run, change.at);
  }

  label(space: RunSpace, run: string, labels: readonly string[], at: EpochMs): void {
    this.#own.label(space, run, labels, at);
    this.#tell(space, run, at);
  }

  halt(kind: 'run' | 'agent' | 'human', id: string): void {
    this.#halts.add(kind, id);
  }

  halted(
    space: RunSpace,
    run: string,
    agent: string,
    human: string | undefined,
  ): 'run' | 'agent' | 'human' | undefined {
    const { tenant, key } = space;
    if (this.#halts.has('run', `${tenant}/${key}/${run}`)) return 'run';
    if (this.#halts.has('agent', `${tenant}/${agent}`)) return 'agent';
    if (human !== undefined && this.#halts.has('human', `${tenant}/${human}`)) return 'human';
    return this.#own.halted(space, run, agent, human);
  }

  firstSight(space: RunSpace, run: string, partHash: string): boolean {
    return this.#own.firstSight(space, run, partHash);
  }

  #withOthers(space: RunSpace, run: string, own: RunFacts): RunFacts {
    const others = this.#known.get(keyOf(space, run))?.others ?? NOTHING;
    if (others.steps === 0 && others.spent === 0 && others.labels.length === 0) return own;
    return {
      ...own,
      steps: own.steps + others.steps,
      spent_usd: (Math.round(own.spent_usd * NANO) + others.spent) / NANO,
      labels: [...new Set([...own.labels, ...others.labels])],
    };
  }

  /** Tells what this gateway knows of the run and hears the rest; one question at a time, the latest state last. */
  #tell(space: RunSpace, run: string, now: EpochMs): void {
    const key = keyOf(space, run);
    const known = this.#known.get(key) ?? { others: NOTHING, own: [], telling: false, changed: false };
    this.#known.delete(key);
    this.#known.set(key, known);
    if (this.#known.size > REMEMBERED) this.#known.delete(this.#known.keys().next().value as string);
    const { steps, spent_usd, labels } = this.#own.facts(space, run, epochMs(now));
    known.own = [
      `s:${this.#gateway}`,
      `${steps}`,
      `c:${this.#gateway}`,
      `${Math.round(spent_usd * NANO)}`,
      ...labels.flatMap((label) => [`l:${label}`, '1']),
    ];
    known.changed = true;
    if (!known.telling) void this.#exchange(key, known);
  }

  async #exchange(key: string, known: Known): Promise<void> {
    known.telling = true;
    try {
      while (known.changed) {
        known.changed = false;
        const reply = (await this.#link.run(TELL, [key], [KEPT_S, ...known.own])) as string[];
        known.others = this.#heard(reply);
      }
    } catch (error) {
      // an outage: what this gateway knows by itself has to do until the next call of the run
      if (!(error instanceof Unreachable)) throw error;
    } finally {
      known.telling = false;
    }
  }

  #heard(reply: readonly string[]): Others {
    const others = { steps: 0, spent: 0, labels: [] as string[] };
    for (let i = 0; i + 1 < reply.length; i += 2) {
      const [kind, name, value] = [reply[i]?.slice(0, 2), reply[i]?.slice(2) ?? '', Number(reply[i + 1])];
      if (kind === 'l:') others.labels.push(name);
      else if (name === this.#gateway) continue;
      else if (kind === 's:') others.steps += value;
      else if (kind === 'c:') others.spent += value;
    }
    return others;
  }
}

const keyOf = ({ tenant, key }: RunSpace, run: string): string => `${new Place(tenant).prefix}r:${key}/${run}`;
