import { Fault } from '../../domain/fault.ts';
import type { EpochMs } from '../../domain/scalars.ts';
import type { PinKey, PinLock, PinStore, Shown, Trusted } from '../../ports/pin-store.ts';
import { keyOf } from './approval-id.ts';
import { TrustedNames } from './shadowing.ts';

const fail = (fault: Fault): never => {
  throw fault;
};

/** What is trusted and what was shown, in memory; lock file and store behind it. Throws a Fault where they do not answer. */
export class PinBook {
  readonly #lock: PinLock;
  readonly #store: PinStore;
  readonly #trusted = new Map<string, Trusted[]>();
  readonly #revoked = new Set<string>();
  readonly #shown = new Map<string, Shown>();
  #locked: readonly Trusted[] = [];
  readonly #unsaved: Trusted[] = [];
  /** memory is ahead of the store, which did not take what it was given */
  #torn = false;
  #names = new TrustedNames();

  constructor(lock: PinLock, store: PinStore) {
    this.#lock = lock;
    this.#store = store;
    this.reload();
  }

  /** True where lock file or store hold something else than at the last reload. */
  stale(): boolean {
    const [lock, store] = [this.#lock.changed(), this.#store.changed()];
    return lock || store || this.#torn;
  }

  /** Reads everything anew, whole or not at all. A lock file that is no good is told to `onBadLock`; what it said before stays. */
  reload(onBadLock: (fault: Fault) => void = fail): void {
    const locked = this.#readLock(onBadLock);
    const stored = this.#store.trusted();
    const shown = this.#store.shown();
    this.#trusted.clear();
    this.#revoked.clear();
    this.#shown.clear();
    this.#names = new TrustedNames();
    this.#locked = locked;
    for (const row of locked) this.#take(row);
    for (const row of stored) {
      if (row.revoked) this.#revoked.add(keyOf(row));
      else this.#take(row);
    }
    for (const row of shown) this.#shown.set(keyOf(row), row);
    this.#torn = false;
    this.#unsaved.length = 0;
  }

  #readLock(onBadLock: (fault: Fault) => void): readonly Trusted[] {
    try {
      return this.#lock.read();
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      onBadLock(error);
      return this.#locked;
    }
  }

  #take(row: Trusted): void {
    const key = keyOf(row);
    this.#names.add(row);
    const rows = this.#trusted.get(key);
    if (rows) rows.push(row);
    else this.#trusted.set(key, [row]);
  }

  trusted(key: PinKey): readonly Trusted[] {
    return this.#trusted.get(keyOf(key)) ?? [];
  }

  /** Everything that is trusted, shown or not. */
  keys(): readonly PinKey[] {
    return [...this.#trusted.values()].flatMap((rows) =>
      rows.slice(0, 1).map(({ server, kind, name }) => ({ server, kind, name })),
    );
  }

  /** A person took its approval back: first use does not count for it. */
  revoked(key: PinKey): boolean {
    return this.#revoked.has(keyOf(key));
  }

  shown(key: PinKey): Shown | undefined {
    return this.#shown.get(keyOf(key));
  }

  /** Everything that was ever shown, in no order. */
  all(): Iterable<Shown> {
    return this.#shown.values();
  }

  /** Trusts a definition from now on; it is kept once `save` returns. */
  trust(row: Trusted): void {
    this.#torn = true;
    this.#take(row);
    this.#unsaved.push(row);
  }

  /** Keeps what was trusted since and what a list shows. Where that fails nothing of it holds. */
  save(rows: readonly Shown[]): void {
    const trusted = this.#unsaved.splice(0);
    if (trusted.length + rows.length === 0) return;
    this.#torn = true;
    if (trusted.length > 0) this.#store.trust(trusted);
    if (rows.length > 0) this.#store.show(rows);
    this.#torn = false;
    for (const row of rows) this.#shown.set(keyOf(row), row);
  }

  /** The names that a newcomer must not be taken for: those of every trusted definition. */
  get names(): TrustedNames {
    return this.#names;
  }

  /** The text of the newest trusted definition whose text was kept: what a change is compared with. */
  baseline(key: PinKey): string | undefined {
    let found: { readonly at: EpochMs; readonly text: string } | undefined;
    for (const { at, text } of this.trusted(key))
      if (text !== undefined && (found === undefined || at >= found.at)) found = { at, text };
    return found?.text;
  }
}
