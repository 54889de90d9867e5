import { picoToNano } from '../domain/money.ts';
import type { Cost, CostLine } from '../domain/pricing.ts';
import { nano, pico } from '../domain/scalars.ts';
import type { Leaves, TokenLeaf, Usage, UsageEntry } from '../domain/usage.ts';

type Status = Cost['status'];
type Counts = Partial<Record<TokenLeaf, number>>;
type Sum = Omit<UsageEntry, 'leaves' | 'fees'> & { readonly leaves: Counts; readonly fees: Record<string, number> };

const worse = (a: Status, b: Status): Status =>
  a === 'unpriced' || b === 'unpriced' ? 'unpriced' : a === 'estimated' || b === 'estimated' ? 'estimated' : 'exact';

/** Adds up the usage of many answers, each priced by itself (a long prompt costs more for its own tokens only). Bounded by the models in it. */
export class Tally {
  readonly #entries = new Map<string, Sum>();
  readonly #lines = new Map<string, CostLine>();
  #status: Status = 'exact';
  #exact = true;
  #estimated = false;
  #reported = false;
  #total = 0n;
  #table: Cost['table'] | undefined;

  add(usage: Usage, cost: Cost): void {
    this.#exact &&= usage.certainty === 'exact';
    this.#estimated ||= usage.estimated === true;
    this.#reported ||= usage.reported !== undefined;
    this.#status = worse(this.#status, cost.status);
    this.#total += cost.total;
    this.#table = cost.table;
    for (const entry of usage.entries) this.#count(entry);
    for (const line of cost.lines) {
      const key = `${line.model} ${line.leaf}`;
      const known = this.#lines.get(key);
      const sum = known && { ...line, count: known.count + line.count, amount: pico(known.amount + line.amount) };
      this.#lines.set(key, sum ?? line);
    }
  }

  /** Every answer stated its usage. */
  get exact(): boolean {
    return this.#exact;
  }

  usage(): Usage {
    const entries = [...this.#entries.values()].map(({ fees, ...entry }) => ({
      ...entry,
      ...(Object.keys(fees).length > 0 && { fees }),
    }));
    return { entries, certainty: this.#exact ? 'exact' : 'floor', ...(this.#estimated && { estimated: true }) };
  }

  /** Undefined where nothing was added: then nothing is charged. */
  cost(): Cost | undefined {
    if (this.#table === undefined) return undefined;
    const lines = [...this.#lines.values()];
    const ours = picoToNano(pico(lines.reduce((sum, { amount }) => sum + amount, 0n)));
    if (!this.#reported) return { status: this.#status, total: ours, lines, table: this.#table };
    return { status: this.#status, total: nano(this.#total), lines, ours, table: this.#table };
  }

  #count({ leaves, fees = {}, ...own }: UsageEntry): void {
    const key = JSON.stringify([own.model, own.tier, own.region]);
    const sum = this.#entries.get(key) ?? { ...own, leaves: {}, fees: {} };
    this.#entries.set(key, sum);
    for (const [leaf, count] of Object.entries(leaves as Leaves) as [TokenLeaf, number][])
      sum.leaves[leaf] = (sum.leaves[leaf] ?? 0) + count;
    for (const [fee, count] of Object.entries(fees)) sum.fees[fee] = (sum.fees[fee] ?? 0) + count;
  }
}
