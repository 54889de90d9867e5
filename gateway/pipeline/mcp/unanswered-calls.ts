import { member } from '../../domain/json.ts';
import type { RpcId, RpcMessage } from '../../ports/mcp-wire.ts';

const KEPT = 20_000;

/**
 * Calls whose answer comes another way: on another stream of a legacy session, or as the result of a task. It is then judged as what it
 * is. Holds names, never arguments. Bounded, oldest forgotten first.
 */
export class UnansweredCalls {
  /** oldest first */
  readonly #open = new Map<string, RpcMessage>();

  add(principalId: string, session: string, request: RpcMessage): void {
    const name = member(request.doc.value['params'], 'name');
    const value = { method: request.method, params: typeof name === 'string' ? { name } : {} };
    const slim: RpcMessage = { kind: 'request', id: request.id, method: request.method, doc: { text: '', value } };
    this.#open.set(keyOf(principalId, session, request.id ?? ''), slim);
    if (this.#open.size > KEPT) this.#open.delete(this.#open.keys().next().value as string);
  }

  /** What an answer with this id answers. It stays known: a stream may be replayed more than once. */
  find(principalId: string, session: string, id: RpcId): RpcMessage | undefined {
    return this.#open.get(keyOf(principalId, session, id));
  }
}

const keyOf = (principalId: string, session: string, id: RpcId): string => JSON.stringify([principalId, session, id]);
