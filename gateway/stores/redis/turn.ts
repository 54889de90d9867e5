/** Work that is done one after another, in the order in which it was asked for. */
export class Turn {
  #last: Promise<unknown> = Promise.resolve();

  /** Resolves when everything that was asked for is done or failed, also what was asked for meanwhile. */
  async quiet(): Promise<void> {
    for (let last: unknown; last !== this.#last; ) {
      last = this.#last;
      await last;
    }
  }

  /** What comes next waits for `done`. Returns what was last before it; `inTurn` calls this. */
  wait(done: Promise<unknown>): Promise<unknown> {
    const before = this.#last;
    this.#last = done.catch(() => undefined);
    return before;
  }
}

/** Does `work` when everything that was asked for before is done on all these turns, and before anything that is asked for later. */
export function inTurn<T>(turns: readonly Turn[], work: () => Promise<T>): Promise<T> {
  const { promise, resolve } = Promise.withResolvers<readonly Promise<unknown>[]>();
  const done = promise.then((before) => Promise.all(before)).then(work);
  resolve(turns.map((turn) => turn.wait(done)));
  return done;
}
