/** Work that many callers wait for at once and that has to be done only once at a time. */
export class Flights {
  readonly #under = new Map<string, Promise<void>>();

  /**
   * Waits for the work under this key, and does it where nobody else is doing it. What another caller's attempt died of is not held
   * against this one: it tries for itself. Throws what its own attempt throws.
   */
  async join(key: string, work: () => Promise<void>): Promise<void> {
    const other = this.#under.get(key);
    if (other !== undefined) {
      const done = await other.then(
        () => true,
        () => false,
      );
      return done ? undefined : this.join(key, work);
    }
    const own = work();
    this.#under.set(key, own);
    try {
      await own;
    } finally {
      this.#under.delete(key);
    }
  }
}
