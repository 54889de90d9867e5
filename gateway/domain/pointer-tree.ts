import { elementIndex, type Pointer, pointerTokens } from './pointer.ts';

/** Stands where something is taken away. */
export const GONE = Symbol('gone');

/** A place that pointers of a tree name or lead through. */
export interface PointerNode<V> {
  /** undefined: pointers only lead through it */
  readonly value: V | typeof GONE | undefined;
  /** in the order in which they were added */
  readonly children: ReadonlyMap<string, PointerNode<V>>;
}

interface Node<V> extends PointerNode<V> {
  value: V | typeof GONE | undefined;
  readonly children: Map<string, Node<V>>;
  /** from this element on an index may name another one than before: one is gone or was added */
  movedFrom: number;
}

const emptyNode = <V>(): Node<V> => ({ value: undefined, children: new Map(), movedFrom: Number.POSITIVE_INFINITY });

/** What stands at pointers, as a tree of their tokens. */
export class PointerTree<V> {
  readonly #root: Node<V> = emptyNode();

  get root(): PointerNode<V> {
    return this.#root;
  }

  get isEmpty(): boolean {
    return this.#root.value === undefined && this.#root.children.size === 0;
  }

  /** True where one of its pointers is this one, holds it, is held by it, or may have changed what it names. */
  meets(pointer: Pointer): boolean {
    let node = this.#root;
    for (const token of pointerTokens(pointer)) {
      if (node.value !== undefined || elementIndex(token) >= node.movedFrom) return true;
      const next = node.children.get(token);
      if (!next) return false;
      node = next;
    }
    return !(node === this.#root && this.isEmpty);
  }

  add(pointer: Pointer, value: V | typeof GONE): void {
    let node = this.#root;
    let parent: Node<V> | undefined;
    let last = '';
    for (const token of pointerTokens(pointer)) {
      const next = node.children.get(token) ?? emptyNode();
      node.children.set(token, next);
      [parent, node, last] = [node, next, token];
    }
    node.value = value;
    if (!parent) return;
    if (last === '-') parent.movedFrom = 0;
    else if (value === GONE && elementIndex(last) !== -1)
      parent.movedFrom = Math.min(parent.movedFrom, elementIndex(last));
  }
}

/**
 * Edits that are made one after the other, as trees of those that do not meet, so that each tree can be made in one walk. `put`: what an
 * edit puts; undefined where it takes away.
 */
export function* steps<E extends { readonly at: Pointer }, V>(
  edits: readonly E[],
  put: (edit: E) => V | undefined,
): Generator<PointerTree<V>> {
  let tree = new PointerTree<V>();
  for (const edit of edits) {
    if (tree.meets(edit.at)) {
      yield tree;
      tree = new PointerTree();
    }
    const value = put(edit);
    tree.add(edit.at, value === undefined ? GONE : value);
  }
  if (!tree.isEmpty) yield tree;
}
