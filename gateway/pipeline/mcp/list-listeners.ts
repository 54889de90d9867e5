import type { PinKind } from '../../ports/pins.ts';

/** An open stream whose client hears of changed lists. */
export interface ListListener {
  readonly server: string;
  /** Undefined: this client did not ask about such lists. */
  message(kind: PinKind): string | undefined;
  send(message: string): void;
}

/** By kind: the notification that its lists changed, and how a modern client asks for it. */
export const LISTS: ReadonlyMap<PinKind, { readonly method: string; readonly wish: string }> = new Map([
  ['tool', { method: 'notifications/tools/list_changed', wish: 'toolsListChanged' }],
  ['prompt', { method: 'notifications/prompts/list_changed', wish: 'promptsListChanged' }],
  ['resource', { method: 'notifications/resources/list_changed', wish: 'resourcesListChanged' }],
]);

/** Tells open streams that a list looks different now: an approval, a quarantine or other rules (mcp-plane.md 8). */
export class ListListeners {
  readonly #open = new Set<ListListener>();

  /** Returns how to stop. */
  add(listener: ListListener): () => void {
    this.#open.add(listener);
    return () => this.#open.delete(listener);
  }

  /** What a server offers of one kind has changed; undefined: of every server. */
  changed(server: string | undefined, kind: PinKind): void {
    for (const listener of this.#open) {
      if (server !== undefined && listener.server !== server) continue;
      const message = listener.message(kind);
      if (message !== undefined) listener.send(message);
    }
  }
}
