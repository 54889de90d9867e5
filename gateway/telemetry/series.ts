import { Counter, type Registry } from 'prom-client';

const LONGEST = 128;
const OTHER = 'other';
const MOST_SERIES = 5_000;

/** Label values of one kind: the first `most` names that earned one keep it, later ones are `other`. */
export class LabelValues {
  readonly #known = new Set<string>([OTHER]);
  readonly #most: number;

  constructor(most: number) {
    this.#most = most;
  }

  /** `earned`: false gives a label only to a name that already has one */
  get(name: string, earned = true): string {
    if (this.#known.has(name)) return name;
    if (!earned || this.#known.size > this.#most || name.length > LONGEST) return OTHER;
    this.#known.add(name);
    return name;
  }
}

/** A node of the tree of label values, one level per label; its leaves are the series. */
interface Node {
  readonly next: Map<string, Node>;
  readonly values: readonly string[];
  total: number;
}

const node = (values: readonly string[]): Node => ({ next: new Map(), values, total: 0 });

/**
 * A counter whose hot path is one map lookup; prom-client sees it only when somebody scrapes. Beyond 5,000 series, counts go to
 * one whose labels are all `other`, so that no count is lost. `unit`: what one added unit is in the metric's own.
 */
export class Series {
  readonly #root = node([]);
  readonly #leaves: Node[] = [];
  readonly #depth: number;

  constructor(registry: Registry, name: string, help: string, labelNames: readonly string[], unit = 1) {
    this.#depth = labelNames.length;
    if (this.#depth === 0) this.#leaves.push(this.#root);
    const leaves = this.#leaves;
    new Counter({
      name,
      help,
      labelNames: [...labelNames],
      registers: [registry],
      collect(): void {
        this.reset();
        for (const { values, total } of leaves) {
          this.inc(Object.fromEntries(labelNames.map((label, i) => [label, values[i] ?? ''])), total * unit);
        }
      },
    });
  }

  /** `values`: one per label, in the order of the names */
  add(amount: number, ...values: readonly string[]): void {
    let at: Node | undefined = this.#root;
    for (const value of values) at = at?.next.get(value);
    (at ?? this.#open(values)).total += amount;
  }

  #open(wanted: readonly string[]): Node {
    const values = this.#leaves.length < MOST_SERIES ? wanted : wanted.map(() => OTHER);
    let at = this.#root;
    for (let depth = 1; depth <= this.#depth; depth += 1) {
      const value = values[depth - 1] ?? '';
      let next = at.next.get(value);
      if (next === undefined) {
        next = node(values.slice(0, depth));
        at.next.set(value, next);
        if (depth === this.#depth) this.#leaves.push(next);
      }
      at = next;
    }
    return at;
  }
}
