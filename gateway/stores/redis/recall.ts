import { type Cluster, Redis } from 'ioredis';
import type { Clock } from '../../ports/clock.ts';
import type { LeaseBook } from './lease-book.ts';
import type { Link } from './link.ts';

const NEWS = 'tollgate:leases:wanted';
const DEAF_MS = 10_000;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export interface RecallOptions {
  readonly link: Link;
  readonly clock: Clock;
  /** this gateway */
  readonly gateway: string;
  /** the longest a refusal waits for leases of others to come back */
  readonly waitMs: number;
  /** leases of others were asked for, and came back in time or did not */
  readonly onRecall?: ((returned: boolean) => void) | undefined;
}

/**
 * How gateways ask each other for money that is leased and not used. Who leases an account stands in Redis beside it until it gave
 * everything back, so nobody waits where nobody leases; the question itself is news to all. A gateway that does not answer, because it died
 * or is cut off, is asked like the others and waited for once in ten seconds.
 */
export class Recall {
  readonly #options: RecallOptions;
  /** by gateway: until when its silence is expected */
  readonly #deaf = new Map<string, number>();
  /** by account ids: what is being asked for */
  readonly #asking = new Map<string, Promise<boolean>>();
  #listener: Redis | Cluster | undefined;
  #closed = false;

  constructor(options: RecallOptions) {
    this.#options = options;
  }

  /** Calls `wanted` with the accounts that somebody needs room in. */
  listen(wanted: (accounts: readonly string[]) => void): void {
    const { link, gateway } = this.#options;
    const { client } = link;
    const listener = client instanceof Redis ? client.duplicate() : client.duplicate();
    this.#listener = listener;
    listener.on('error', () => undefined); // the link tells of the same outage
    listener.on('message', (_: string, text: string) => {
      const [by, ...accounts] = namesIn(text);
      if (by !== gateway) wanted(accounts);
    });
    listener.on('ready', () => {
      listener.subscribe(NEWS).catch(() => undefined); // the next connection tries again
    });
    listener.connect().catch(() => undefined); // reconnects by itself
  }

  /** Asks the gateways that lease one of these accounts of a tenant to give back what they can, and waits for it. False where nobody does. Never throws. */
  askFor(book: LeaseBook, accounts: readonly string[]): Promise<boolean> {
    const name = [...accounts].sort().join('\n');
    const asking = this.#asking.get(name) ?? this.#askFor(book, accounts).finally(() => this.#asking.delete(name));
    this.#asking.set(name, asking);
    return asking;
  }

  close(): void {
    this.#closed = true;
    this.#listener?.disconnect();
  }

  async #askFor(book: LeaseBook, accounts: readonly string[]): Promise<boolean> {
    const { link, clock, gateway, waitMs, onRecall } = this.#options;
    const until = clock.ticks() + waitMs;
    const others = async (): Promise<readonly string[]> =>
      [...(await book.lessees(accounts))].filter((by) => by !== gateway);
    try {
      let left = await others();
      if (left.length === 0) return false;
      await link.ask(() => link.client.publish(NEWS, JSON.stringify([gateway, ...accounts])));
      const expected = (by: string): boolean => (this.#deaf.get(by) ?? Number.NEGATIVE_INFINITY) < clock.ticks();
      const waitedFor = left.filter(expected);
      for (let wait = 4; left.some(expected) && clock.ticks() < until && !this.#closed; wait = Math.min(wait * 2, 50)) {
        await pause(wait);
        left = await others();
      }
      for (const by of waitedFor) {
        if (left.includes(by)) this.#deaf.set(by, clock.ticks() + DEAF_MS);
        else this.#deaf.delete(by);
      }
      onRecall?.(left.length === 0);
      return true;
    } catch {
      // an outage: whoever asks next is told
      return true;
    }
  }
}

/** Whoever asks, and the accounts; nothing where the text is not of ours. */
function namesIn(text: string): readonly string[] {
  try {
    const found: unknown = JSON.parse(text);
    return Array.isArray(found) ? found.filter((name) => typeof name === 'string') : [];
  } catch {
    return [];
  }
}
