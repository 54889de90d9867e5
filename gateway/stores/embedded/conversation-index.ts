import { hash } from 'node:crypto';
import type { MessageMark } from '../../ports/dialect.ts';
import type { Conversation } from '../../ports/runs.ts';

const HEADS_PER_RUN = 256;
const IDS_PER_RUN = 1024;
/** how many runs may share one head; identical conversations do */
const OWNERS = 8;

const chains = new WeakMap<readonly MessageMark[], readonly string[]>();

/** h(i) = H(h(i−1), m(i)) for every message (attribution.md 6), computed once per list. */
function chainOf(messages: readonly MessageMark[]): readonly string[] {
  const known = chains.get(messages);
  if (known) return known;
  let head = '';
  const chain = messages.map((message) => {
    head = link(head, message);
    return head;
  });
  chains.set(messages, chain);
  return chain;
}

// The head has a fixed length and a role no colon, so two different lists never hash the same text. 132 bits are kept.
const link = (head: string, { role, canonical }: MessageMark): string =>
  hash('sha256', `${head}:${role}:${canonical}`, 'base64url').slice(0, 22);

/** What one run has in the index, oldest first; `tip` is where its newest known answer ends. */
interface Entries {
  readonly heads: Set<string>;
  readonly ids: Set<string>;
  tip: string | undefined;
}

/**
 * Finds the run a conversation continues, inside one space; dialects are kept apart. Only heads that end in an answer the gate
 * relayed are in it: a common beginning of instructions, first question or examples says nothing about the run.
 */
export class ConversationIndex {
  readonly #heads = new Map<string, readonly string[]>();
  readonly #ids = new Map<string, readonly string[]>();
  readonly #entries = new Map<string, Entries>();

  /** Issued ids first, then the longest known prefix. An id that several runs were given tells nothing. */
  find({ dialect, messages, issuedIds }: Conversation): string | undefined {
    for (const id of issuedIds.toReversed()) {
      const owners = this.#ids.get(`${dialect} ${id}`);
      if (owners?.length === 1) return owners[0];
    }
    if (this.#heads.size === 0) return undefined;
    for (const head of chainOf(messages).toReversed()) {
      const name = `${dialect} ${head}`;
      const owners = this.#heads.get(name);
      // Of runs with the same history the one that has not gone on from here, and of several the newest.
      if (owners) return owners.findLast((run) => this.#entries.get(run)?.tip === name) ?? owners.at(-1);
    }
    return undefined;
  }

  /** `run` was given this answer to this conversation. */
  add(
    run: string,
    { dialect, messages }: Conversation,
    answer: MessageMark | undefined,
    issuedIds: readonly string[],
  ): void {
    if (!answer && issuedIds.length === 0) return;
    const entries = this.#entriesOf(run);
    for (const id of issuedIds) own(this.#ids, entries.ids, `${dialect} ${id}`, run, IDS_PER_RUN);
    if (!answer || messages.length === 0) return;
    const head = `${dialect} ${link(chainOf(messages).at(-1) ?? '', answer)}`;
    own(this.#heads, entries.heads, head, run, HEADS_PER_RUN);
    entries.tip = head;
  }

  forget(run: string): void {
    const entries = this.#entries.get(run);
    if (!entries) return;
    for (const head of entries.heads) disown(this.#heads, head, run);
    for (const id of entries.ids) disown(this.#ids, id, run);
    this.#entries.delete(run);
  }

  #entriesOf(run: string): Entries {
    const known = this.#entries.get(run);
    if (known) return known;
    const entries: Entries = { heads: new Set(), ids: new Set(), tip: undefined };
    this.#entries.set(run, entries);
    return entries;
  }
}

/** Puts `run` last among the owners of `name`; what exceeds a bound is forgotten, oldest first. */
function own(index: Map<string, readonly string[]>, mine: Set<string>, name: string, run: string, most: number): void {
  const others = (index.get(name) ?? []).filter((other) => other !== run);
  index.set(name, [...others, run].slice(-OWNERS));
  mine.delete(name);
  mine.add(name);
  if (mine.size <= most) return;
  const oldest = mine.values().next().value as string;
  mine.delete(oldest);
  disown(index, oldest, run);
}

function disown(index: Map<string, readonly string[]>, name: string, run: string): void {
  const others = (index.get(name) ?? []).filter((other) => other !== run);
  if (others.length > 0) index.set(name, others);
  else index.delete(name);
}
