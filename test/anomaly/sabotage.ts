/** Where in a port the failure strikes: the n-th call of any of its methods, before or after its work, once or from then on. */
export interface Strike {
  readonly port: string;
  readonly n: number;
  readonly when: 'before' | 'after';
  readonly lasting: boolean;
  readonly error: () => Error;
}

/** Counts the calls of every wrapped port and makes one of them fail. */
export class Saboteur {
  readonly counts = new Map<string, number>();
  /** what the failing call was, once it happened: `ledger.settle` */
  struck: string | undefined;
  readonly #strike: Strike | undefined;

  constructor(strike?: Strike) {
    this.#strike = strike;
  }

  /** The port with its methods counted; `asynchronous` ones fail as rejections, the others throw. */
  wrap<T extends object>(port: string, target: T, asynchronous: readonly string[] = []): T {
    return new Proxy(target, {
      get: (_target, name) => {
        const value = Reflect.get(target, name, target) as unknown;
        if (typeof value !== 'function' || typeof name !== 'string') return value;
        return (...args: unknown[]) =>
          this.call(port, name, asynchronous.includes(name), () => value.apply(target, args));
      },
    });
  }

  call(port: string, method: string, asynchronous: boolean, work: () => unknown): unknown {
    const n = (this.counts.get(port) ?? 0) + 1;
    this.counts.set(port, n);
    const strike = this.#strike;
    const hit = strike?.port === port && (strike.lasting ? n >= strike.n : n === strike.n);
    if (!strike || !hit) return work();
    this.struck ??= `${port}.${method}`;
    if (!asynchronous) {
      if (strike.when === 'after') work();
      throw strike.error();
    }
    return (async () => {
      if (strike.when === 'after') await work();
      throw strike.error();
    })();
  }
}
