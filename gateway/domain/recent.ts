/**
 * What was used lately, by name: at least the last `kept` names, at most twice as many. Two generations instead of an order, so that
 * asking for a name moves it once a generation and not each time.
 */
export class Recent<V> {
  readonly #kept: number;
  #young = new Map<string, V>();
  #old = new Map<string, V>();

  constructor(kept: number) {
    this.#kept = kept;
  }

  get(name: string): V | undefined {
    const young = this.#young.get(name);
    if (young !== undefined) return young;
    const old = this.#old.get(name);
    if (old !== undefined) this.set(name, old);
    return old;
  }

  set(name: string, value: V): void {
    this.#young.set(name, value);
    if (this.#young.size < this.#kept) return;
    this.#old = this.#young;
    this.#young = new Map();
  }
}
