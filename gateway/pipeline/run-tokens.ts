import { createHmac, randomBytes } from 'node:crypto';
import type { TextPart } from '../domain/action.ts';
import { type PlacedFinding, type PlacedToken, TOKEN_LOOKALIKE, tokenText, tokenWord } from '../domain/finding.ts';
import type { RunSpace } from '../ports/runs.ts';

const REMEMBERED_PARTS = 8192;
const KEPT = 32 * 1_048_576;

/** Bounds of the map, least recently used runs forgotten first. */
export interface TokenBounds {
  readonly runs: number;
  /** values and look-alikes of one run; beyond it a new value is named by its kind alone */
  readonly perRun: number;
  /** UTF-16 units of values that are held for all runs together; 32 Mi where left out */
  readonly kept?: number;
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
  /** token → what it stands for, where a rule may put it back */
  readonly values: Map<string, { readonly kind: string; readonly value: string }>;
  /** UTF-16 units of those values */
  kept: number;
}

const nameOf = ({ tenant, key }: RunSpace, run: string): string => JSON.stringify([tenant, key, run]);

const emptyBook = (): Book => ({
  tokens: new Map(),
  taken: new Set(),
  next: new Map(),
  read: new Set(),
  values: new Map(),
  kept: 0,
});

/**
 * The tokens that stand for redacted values: one value, one token in its whole run, numbered by first appearance (ADR 0017). Holds
 * keyed hashes; the key is made at start and kept nowhere. A value itself is held only where a rule may put it back, in memory, for its
 * own run. Sync, so parallel calls agree.
 */
export class RunTokens {
  readonly #key = randomBytes(32);
  readonly #bounds: TokenBounds;
  /** least recently used first */
  readonly #books = new Map<string, Book>();
  #kept = 0;

  constructor(bounds: TokenBounds = { runs: 10_000, perRun: 20_000 }) {
    this.#bounds = bounds;
  }

  /** The findings with the token of each value. Look-alikes in the parts are taken first: none of them is ever issued in this run. */
  place(
    space: RunSpace,
    run: string,
    parts: readonly TextPart[],
    findings: readonly PlacedFinding[],
    keeps: (kind: string) => boolean = () => false,
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
      if (finding.status !== 'found' || text === undefined) continue;
      const value = text.slice(finding.start, finding.end);
      const token = this.#token(book, finding.kind, value);
      placed.set(finding, token);
      if (!book.values.has(token) && book.taken.has(token) && keeps(finding.kind))
        this.#keep(book, token, finding.kind, value);
    }
    return findings.map((finding) => {
      const token = placed.get(finding);
      return token === undefined ? finding : { ...finding, token };
    });
  }

  /** What looks like a token in the parts, with its value where this very run has issued it and holds the value. */
  recall(space: RunSpace, run: string, parts: readonly TextPart[]): readonly PlacedToken[] {
    const values = this.#books.get(nameOf(space, run))?.values;
    return parts.flatMap(({ at, text }) =>
      text.includes('<')
        ? [...text.matchAll(TOKEN_LOOKALIKE)].map((match) => ({
            token: match[0],
            word: match[1] as string,
            at,
            start: match.index,
            end: match.index + match[0].length,
            ...values?.get(match[0]),
          }))
        : [],
    );
  }

  #keep(book: Book, token: string, kind: string, value: string): void {
    book.values.set(token, { kind, value });
    book.kept += value.length;
    this.#kept += value.length;
    // the runs that were quiet longest lose theirs first; a token without its value is refused, never guessed
    for (const other of this.#books.values()) {
      if (this.#kept <= (this.#bounds.kept ?? KEPT)) return;
      this.#drop(other);
    }
  }

  #drop(book: Book): void {
    this.#kept -= book.kept;
    book.kept = 0;
    book.values.clear();
  }

  #book(space: RunSpace, run: string): Book {
    const name = nameOf(space, run);
    const book = this.#books.get(name) ?? emptyBook();
    this.#books.delete(name);
    this.#books.set(name, book);
    const [oldest] = this.#books;
    if (oldest !== undefined && this.#books.size > this.#bounds.runs) {
      this.#drop(oldest[1]);
      this.#books.delete(oldest[0]);
    }
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
    for (const [lookalike] of text.matchAll(TOKEN_LOOKALIKE)) {
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
