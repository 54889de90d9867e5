import type { EpochMs } from '../../domain/scalars.ts';
import type { RpcId } from '../../ports/mcp-wire.ts';

/** A request of a server that waits for its client's answer. */
export interface Pending {
  readonly method: string;
  readonly server: string;
  /** the server's own id of it, where its client knows it by another */
  readonly id?: RpcId | undefined;
}

const LIFE_MS = 60 * 60_000;
const KEPT = 50_000;

/** Requests of servers that no client has answered yet, by session; an answer takes its request away. */
export class PendingRequests {
  /** oldest first */
  readonly #open = new Map<string, Pending & { readonly until: number }>();

  add(principalId: string, session: string, id: RpcId, pending: Pending, now: EpochMs): void {
    this.#open.set(keyOf(principalId, session, id), { ...pending, until: now + LIFE_MS });
    if (this.#open.size > KEPT) this.#open.delete(this.#open.keys().next().value as string);
  }

  /** The request this answers; undefined: nothing of this caller's session waits for it. */
  take(principalId: string, session: string, id: RpcId, now: EpochMs): Pending | undefined {
    const key = keyOf(principalId, session, id);
    const found = this.#open.get(key);
    this.#open.delete(key);
    return found && found.until > now ? found : undefined;
  }
}

const keyOf = (principalId: string, session: string, id: RpcId): string => JSON.stringify([principalId, session, id]);
