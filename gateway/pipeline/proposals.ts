import { hash } from 'node:crypto';
import { canonical } from '../domain/canonical.ts';
import type { Json } from '../domain/json.ts';
import type { EpochMs } from '../domain/scalars.ts';
import type { RunSpace } from '../ports/runs.ts';

/** A tool call that a model proposed and the judge let pass. */
export interface Proposal {
  readonly run: string;
  /** the model turn it belongs to */
  readonly step: number;
  /** the provider's id of the call; '' where it has none */
  readonly callId: string;
  readonly at: EpochMs;
}

/** What an execution shows of itself. */
export interface Execution {
  /** every name the tool may go by on the model's side */
  readonly names: readonly string[];
  readonly args: Json;
  /** the model's own id of the call, where the client passed it on */
  readonly callId?: string | undefined;
}

interface Waiting extends Proposal {
  readonly space: string;
  readonly keys: readonly string[];
}

const LIFE_MS = 10 * 60_000;
const PER_SPACE = 2_000;
/** Of all spaces together. */
const KEPT = 50_000;

/**
 * Tool calls that were proposed on the LLM plane and not executed yet (attribution.md 7): an execution on another plane is the same
 * step. A proposal is taken once, oldest first, within ten minutes, and never outside its space. Holds hashes, never arguments.
 */
export class Proposals {
  /** by space, oldest first */
  readonly #spaces = new Map<string, Set<Waiting>>();
  /** of all spaces, oldest first */
  readonly #all = new Set<Waiting>();

  offer(space: RunSpace, tool: string, args: Json, proposal: Proposal): void {
    const name = nameOf(space);
    const waiting = this.#spaces.get(name) ?? new Set();
    this.#spaces.set(name, waiting);
    const plain = tool.slice(tool.lastIndexOf('__') + 1).replace(/^_/, '');
    const keys = [...new Set([tool, plain])].map((known) => keyOf(known, args));
    const one: Waiting = { ...proposal, space: name, keys };
    waiting.add(one);
    this.#all.add(one);
    const [oldest] = waiting;
    if (oldest && waiting.size > PER_SPACE) this.#drop(oldest);
    // also of spaces that are quiet: what nobody carries out is forgotten
    for (const old of this.#all) {
      if (this.#all.size <= KEPT && old.at + LIFE_MS > proposal.at) break;
      this.#drop(old);
    }
  }

  /** The proposal that an execution carries out, left where it is; undefined: nobody proposed it here. */
  find(space: RunSpace, execution: Execution, now: EpochMs): Proposal | undefined {
    return this.#find(space, execution, now);
  }

  /** Takes a proposal away: it was carried out. */
  take(space: RunSpace, proposal: Proposal): void {
    const one = proposal as Waiting;
    if (one.space === nameOf(space)) this.#drop(one);
  }

  #drop(one: Waiting): void {
    this.#all.delete(one);
    const waiting = this.#spaces.get(one.space);
    waiting?.delete(one);
    if (waiting?.size === 0) this.#spaces.delete(one.space);
  }

  #find(space: RunSpace, { names, args, callId }: Execution, now: EpochMs): Waiting | undefined {
    const waiting = this.#spaces.get(nameOf(space));
    if (!waiting) return undefined;
    const keys = new Set(names.map((name) => keyOf(name, args)));
    let found: Waiting | undefined;
    for (const one of waiting) {
      if (one.at + LIFE_MS <= now) continue;
      if (callId !== undefined && one.callId === callId) return one;
      if (!found && one.keys.some((key) => keys.has(key))) found = one;
    }
    return found;
  }
}

const nameOf = ({ tenant, key }: RunSpace): string => JSON.stringify([tenant, key]);
const keyOf = (tool: string, args: Json): string => hash('sha256', `${tool}\n${canonical(args)}`, 'base64');
