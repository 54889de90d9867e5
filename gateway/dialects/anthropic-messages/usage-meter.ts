import { asCount, asString, isArray, type Json, type JsonArray, member } from '../../domain/json.ts';
import type { UsageEntry } from '../../domain/usage.ts';
import { type CacheLifetime, COUNTS, type Count, type Counts, countsOf, leavesOf } from './usage-counts.ts';

/** Where entries without a word of their own were served, and what cannot be read from the usage itself. */
export interface UsageContext {
  readonly model: string | undefined;
  /** the dearest cache lifetime the request asked for; undefined: unknown */
  readonly cacheWrite: CacheLifetime | undefined;
  /** output tokens that were certainly produced, for a reply that ended early */
  readonly outputFloor: number;
}

export interface MeteredUsage {
  readonly entries: readonly UsageEntry[];
  readonly estimated: boolean;
}

const SERVING: ReadonlySet<string> = new Set(['message', 'fallback_message']);

/** Merges the usage statements of one message (meter.md 1.2): field by field the last one that is not null wins, nothing is added. */
export class UsageMeter {
  #last: Counts = {};
  /** a drop that `iterations` does not explain keeps the larger reading */
  #most: Counts = {};
  #iterations: JsonArray = [];
  #requests: Readonly<Record<string, number>> = {};
  #words: { tier?: string; speed?: string; geo?: string } = {};
  #stated = false;

  /** A `message_start`: whatever was said before it is replaced. */
  restart(usage: Json | undefined): void {
    this.#last = {};
    this.#most = {};
    this.#iterations = [];
    this.#requests = {};
    this.#words = {};
    this.#stated = false;
    this.update(usage);
  }

  update(usage: Json | undefined): void {
    const counts = countsOf(usage);
    for (const name of COUNTS) {
      const count = counts[name];
      if (count === undefined) continue;
      this.#stated = true;
      this.#last = { ...this.#last, [name]: count };
      this.#most = { ...this.#most, [name]: Math.max(count, this.#most[name] ?? 0) };
    }
    const iterations = member(usage, 'iterations');
    if (isArray(iterations) && iterations.length > 0) this.#iterations = iterations;
    this.#requests = { ...this.#requests, ...requestsOf(usage) };
    const tier = asString(member(usage, 'service_tier'));
    const speed = asString(member(usage, 'speed'));
    const geo = asString(member(usage, 'inference_geo'));
    this.#words = { ...this.#words, ...(tier && { tier }), ...(speed && { speed }), ...(geo && { geo }) };
  }

  /** True once any count was stated. */
  get stated(): boolean {
    return this.#stated;
  }

  /** The model that served the answer, where the iterations name another than the one asked for. */
  get fallbackModel(): string | undefined {
    const terminal = this.#iterations.findLast((entry) => member(entry, 'type') === 'fallback_message');
    return asString(member(terminal, 'model'));
  }

  /** What is to be charged. */
  metered(context: UsageContext): MeteredUsage {
    if (!this.#stated) return { entries: [], estimated: false };
    return this.#iterations.length === 0 ? this.#whole(context) : this.#perIteration(context);
  }

  #whole(context: UsageContext): MeteredUsage {
    const counts = { ...this.#most, output: Math.max(this.#most.output ?? 0, context.outputFloor) };
    const { leaves, estimated } = leavesOf(counts, context.cacheWrite);
    return { entries: this.#entries([{ model: context.model, leaves }], 0), estimated: estimated || this.#dropped() };
  }

  /**
   * The bill is the sum over the iterations, each one prompt at its own model: the top level holds only a part once one is a
   * compaction, an advisor's or a declined hop. What the top level states beyond them is charged as a further entry.
   */
  #perIteration(context: UsageContext): MeteredUsage {
    const alone = this.#iterations.length === 1;
    const sum: Partial<Record<Count, number>> = {};
    let estimated = false;
    const entries = this.#iterations.map((iteration) => {
      const own = countsOf(iteration);
      for (const name of COUNTS) sum[name] = (sum[name] ?? 0) + (own[name] ?? 0);
      const thinking = own.thinking ?? (alone ? this.#last.thinking : undefined);
      const split = leavesOf({ ...own, ...(thinking !== undefined && { thinking }) }, context.cacheWrite);
      estimated ||= split.estimated;
      return { model: asString(member(iteration, 'model')) ?? context.model, leaves: split.leaves };
    });
    const rest: Partial<Record<Count, number>> = {};
    for (const name of ['input', 'cacheRead', 'cacheWrite', 'output'] as const)
      rest[name] = Math.max(0, (this.#most[name] ?? 0) - (sum[name] ?? 0));
    if (Object.values(rest).some((count) => count > 0)) {
      estimated = true;
      entries.push({ model: context.model, leaves: leavesOf(rest, context.cacheWrite).leaves });
    }
    const serving = this.#iterations.findLastIndex((entry) => SERVING.has(asString(member(entry, 'type')) ?? ''));
    return { entries: this.#entries(entries, Math.max(serving, 0)), estimated: estimated || this.#overcounted(sum) };
  }

  #entries(entries: readonly UsageEntry[], feesAt: number): UsageEntry[] {
    const { speed, geo } = this.#words;
    const tier = speed === 'fast' ? 'fast' : this.#words.tier;
    const fees = Object.fromEntries(Object.entries(this.#requests).filter(([, count]) => count > 0));
    return entries.map((entry, i) => ({
      ...entry,
      ...(i === feesAt && Object.keys(fees).length > 0 && { fees }),
      ...(tier !== undefined && { tier }),
      ...(geo !== undefined && geo !== 'not_available' && { region: geo }),
    }));
  }

  #dropped(): boolean {
    return COUNTS.some((name) => (this.#most[name] ?? 0) > (this.#last[name] ?? 0));
  }

  /** Iterations that all are `message` have to add up to the top level. */
  #overcounted(sum: Counts): boolean {
    if (!this.#iterations.every((entry) => member(entry, 'type') === 'message')) return false;
    return (['input', 'cacheRead', 'cacheWrite', 'output'] as const).some(
      (name) => (sum[name] ?? 0) > (this.#last[name] ?? 0),
    );
  }
}

/** `server_tool_use.web_search_requests` is the count of the fee `web_search`. */
function requestsOf(usage: Json | undefined): Record<string, number> {
  const stated = member(usage, 'server_tool_use');
  if (typeof stated !== 'object' || stated === null || isArray(stated)) return {};
  return Object.fromEntries(
    Object.entries(stated).flatMap(([name, value]) => {
      const count = asCount(value);
      return name.endsWith('_requests') && count !== undefined ? [[name.slice(0, -'_requests'.length), count]] : [];
    }),
  );
}
