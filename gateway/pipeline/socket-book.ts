import type { SocketCall } from './socket-call.ts';

/** Ended responses that late messages may still belong to. */
const REMEMBERED = 64;

/** The calls of one socket: those that wait for their response to begin, and those that have one, by its id. */
export class SocketBook {
  readonly #waiting: SocketCall[] = [];
  readonly #begun = new Map<string, SocketCall>();

  /** Calls that are neither charged nor given up. */
  get open(): readonly SocketCall[] {
    return [...this.#waiting, ...this.#begun.values()].filter((call) => !call.ended);
  }

  wait(call: SocketCall): void {
    this.#waiting.push(call);
  }

  find(response: string): SocketCall | undefined {
    return this.#begun.get(response);
  }

  begin(response: string, call: SocketCall): void {
    this.#begun.set(response, call);
    if (this.#begun.size <= REMEMBERED) return;
    for (const [id, old] of this.#begun)
      if (old.ended) {
        this.#begun.delete(id);
        return;
      }
  }

  /** The call that has waited longest in a lane. */
  next(lane: string): SocketCall | undefined {
    return this.#take((call) => call.lane === lane);
  }

  /** The waiting call that a refusal is about: by the client's name for it; where the refusal names none, the oldest of its lane. */
  refused(id: string | undefined, lane: string): SocketCall | undefined {
    return id === undefined ? this.next(lane) : this.#take((call) => call.clientId === id);
  }

  #take(fits: (call: SocketCall) => boolean): SocketCall | undefined {
    const at = this.#waiting.findIndex(fits);
    return at === -1 ? undefined : this.#waiting.splice(at, 1)[0];
  }
}
