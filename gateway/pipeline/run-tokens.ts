import { createHmac, randomBytes } from 'node:crypto';
import type { TextPart } from '../domain/action.ts';
import { type PlacedFinding, tokenText, tokenWord } from '../domain/finding.ts';
import type { RunSpace } from '../ports/runs.ts';

const LOOKALIKE = /<([A-Z][A-Z0-9_]{0,63})_([1-9][0-9]{0,8})>/g;
const REMEMBERED_PARTS = 8192;

/** Bounds of the map, least recently used runs forgotten first. */
export interface TokenBounds {
  readonly runs: number;
  /** values and look-alikes of one run; beyond it a new value is named by its kind alone */
  readonly perRun: number;
}

interface Book {
  /** word and keyed hash of the value → token */
  readonly tokens: Map<string, string>;
  /** every token that is some value's, and every look-alike that was in a text before it was issued */
  readonly taken: Set<string>;
  /** word → the ordinal tried next */
  readonly next: Map<string, number>;
  /** texts already searched for look-alikes, by hash */
  readonly read: Set<string>;
}

/**
 * The tokens that stand for redacted values: one value, one token in its whole run, numbered by first appearance (ADR 0017). Holds
 * keyed hashes, never a value; the key is made at start and kept nowhere. Sync, so parallel calls agree.
 */
export class RunTokens {
  readonly #key = randomBytes(32);
  readonly #bounds: TokenBounds;
  /** least recently used first */
  readonly #books = new Map<string, Book>();

  constructor(bounds: TokenBounds = { runs: 10_000, perRun: 20_000 }) {
    this.#bounds = bounds;
  }

  /** The findings with the token of each value. Look-alikes in the parts are taken first: none of them is ever issued in this run. */
  place(
    space: RunSpace,
    run: string,
    parts: readonly TextPart[],
    findings: readonly PlacedFinding[],
  ): readonly PlacedFinding[] {
    if (findings.length === 0 && !parts.some(({ text }) => text.includes('<'))) return findings;
    const book = this.#book(space, run);
    for (const { text } of parts) this.#take(book, text);
    if (findings.length === 0) return findings;
    const order = new Map(parts.map((part, i) => [part.at, i]));
    const texts = new Map(parts.map((part) => [part.at, part.text]));
    const placed = new Map<PlacedFinding, string>();
    const byAppearance = [...findings].sort(
      (a, b) => (order.get(a.at) ?? 0) - (order.get(b.at) ?? 0) || a.start - b.start || b.end - a.end,
    );
    for (const finding of byAppearance) {
      const text = texts.get(finding.at);
      if (finding.status === 'found' && text !== undefined)
        placed.set(finding, this.#token(book, finding.kind, text.slice(finding.start, finding.end)));
    }
    return findings.map((finding) => {
      const token = placed.get(finding);
      return token === undefined ? finding : { ...finding, token };
    });
  }

  #book(space: RunSpace, run: string): Book {
    const name = JSON.stringify([space.tenant, space.key, run]);
    const book = this.#books.get(name) ?? { tokens: new Map(), taken: new Set(), next: new Map(), read: new Set() };
    this.#books.delete(name);
    this.#books.set(name, book);
    if (this.#books.size > this.#bounds.runs) this.#books.delete(this.#books.keys().next().value as string);
    return book;
  }

  #token(book: Book, kind: string, value: string): string {
    const word = tokenWord(kind);
    const hash = this.#hash(`${word}\n${value}`);
    const known = book.tokens.get(hash);
    if (known !== undefined) return known;
    if (book.taken.size >= this.#bounds.perRun) return `[redacted:${kind}]`;
    let ordinal = book.next.get(word) ?? 1;
    while (book.taken.has(tokenText(word, ordinal))) ordinal += 1;
    const token = tokenText(word, ordinal);
    book.next.set(word, ordinal + 1);
    book.tokens.set(hash, token);
    book.taken.add(token);
    return token;
  }

  #take(book: Book, text: string): void {
    if (!text.includes('<')) return;
    const hash = text.length < 256 ? undefined : this.#hash(text);
    if (hash !== undefined && book.read.has(hash)) return;
    for (const [lookalike] of text.matchAll(LOOKALIKE)) {
      if (book.taken.size >= this.#bounds.perRun) break;
      book.taken.add(lookalike);
    }
    if (hash === undefined) return;
    book.read.add(hash);
    if (book.read.size > REMEMBERED_PARTS) book.read.delete(book.read.values().next().value as string);
  }

  #hash(text: string): string {
    return createHmac('sha256', this.#key).update(text).digest('base64');
  }
}
