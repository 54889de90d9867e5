import type { Json } from '../../domain/json.ts';
import { type EpochMs, epochMs } from '../../domain/scalars.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Detector } from '../../ports/detector.ts';
import type { Log } from '../../ports/log.ts';
import type { PinKey, PinLock, PinStore, Shown } from '../../ports/pin-store.ts';
import type { Definition, ListSeen, PinKind, Pins, Standing } from '../../ports/pins.ts';
import { heartbeat } from '../heartbeat.ts';
import { approvalId, keyOf } from './approval-id.ts';
import { DefinitionTexts, type HashedText, MAX_TEXT } from './definition-texts.ts';
import { PinBook } from './pin-book.ts';
import { suspicionsIn } from './suspicions.ts';
import { whyChanged } from './why-changed.ts';

/** A server may show this many of one kind; what is beyond waits and cannot be approved. */
const MAX_SHOWN = 5_000;
const WATCH_MS = 1_000;

export interface PinKeeperParts {
  readonly lock: PinLock;
  readonly store: PinStore;
  /** what looks for text aimed at the model */
  readonly detectors: readonly Detector[];
  /** `locked`: what nobody approved waits; `first-use`: the first sight is taken as approved, if nothing speaks against it */
  readonly mode: 'locked' | 'first-use';
  readonly maxAgeMs: number;
  readonly clock: Clock;
  readonly log: Log;
  /** what belongs in the record: `mcp_definition_changed`, `mcp_definition_pinned`, `mcp_definition_left` */
  readonly note: (name: string, detail: Readonly<Record<string, string>>) => void;
}

type Refusal = Pick<Shown, 'state' | 'why' | 'suspicions'>;

/** A definition of a list that is being reviewed. */
type Candidate = PinKey & HashedText;

/**
 * Which definitions may be shown and called (mcp-plane.md 8). The approved hash is the pin; whatever differs from every approved one
 * waits for a person. Lock file and store are asked again at every question, so that an approval counts at once.
 */
export class PinKeeper implements Pins {
  readonly maxAgeMs: number;
  readonly #parts: PinKeeperParts;
  readonly #book: PinBook;
  /** when each was last shown as it is; what is missing has left, or was not shown since the start */
  readonly #seenAt = new Map<string, EpochMs>();
  readonly #gone = new Set<string>();
  readonly #listed = new Map<string, EpochMs>();
  readonly #texts = new DefinitionTexts();
  readonly #values = new Map<string, Json>();
  readonly #listeners = new Set<(server: string, kind: PinKind) => void>();

  /** Throws a Fault (`TG_PINS_UNAVAILABLE`) where lock file or store cannot be read. */
  constructor(parts: PinKeeperParts) {
    this.#parts = parts;
    this.maxAgeMs = parts.maxAgeMs;
    this.#book = new PinBook(parts.lock, parts.store);
  }

  async review(seen: ListSeen): Promise<readonly Standing[]> {
    this.#refresh();
    const { server, kind, definitions, whole, at } = seen;
    const own = this.#ownNames(seen);
    const texts = definitions.map((definition) => this.#texts.of(server, definition));
    const clashing = clashes(definitions, texts);
    const rows: Shown[] = [];
    const changed = new Set<string>();
    const keys = definitions.map(({ name }, i) => {
      const key = { server, kind, name };
      const row = this.#judge(key, texts[i], own, clashing.has(name), at);
      if (row === undefined) return undefined;
      const before = this.#book.shown(key);
      if (this.#isNews(row, before)) {
        rows.push(row);
        changed.add(keyOf(key));
      }
      return key;
    });
    this.#book.save(rows);
    for (const key of keys) if (key) this.#present(key, at);
    if (whole) {
      const left = this.#leave(server, kind, new Set(definitions.map((d) => d.name)));
      if (left) changed.add(`${server} ${kind}`);
      this.#listed.set(`${server} ${kind}`, at);
    }
    if (changed.size > 0) this.#tell(server, kind);
    return keys.map((key) => (key ? this.#standing(key) : TOO_MUCH));
  }

  async standing(server: string, kind: PinKind, name: string): Promise<Standing> {
    this.#refresh();
    return this.#standing({ server, kind, name });
  }

  /** When the whole list of a server last passed; 0 where it has not since the start. */
  listedAt(server: string, kind: PinKind): EpochMs {
    return this.#listed.get(`${server} ${kind}`) ?? epochMs(0);
  }

  onChange(listener: (server: string, kind: PinKind) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Looks every second whether somebody approved something, so that listeners hear of it while nobody calls. Returns how to stop. */
  watch(): () => void {
    let reachable = true;
    return heartbeat(WATCH_MS, () => {
      try {
        this.#refresh();
        reachable = true;
      } catch (error) {
        const why = error instanceof Error ? error.message : 'unknown';
        if (reachable)
          this.#parts.log.error({ error: why }, 'approved definitions cannot be read; calls are denied until they can');
        reachable = false;
      }
    });
  }

  /** Somebody approved, revoked or edited the lock file: every standing is found anew. */
  #refresh(): void {
    if (!this.#book.stale()) return;
    const before = new Map([...this.#book.all()].map((row) => [keyOf(row), this.#standing(row).state]));
    this.#book.reload(({ message }) =>
      this.#parts.log.error({ problem: message }, 'the lock file is no good; what it approved before stays in force'),
    );
    const touched = new Map<string, PinKey>();
    for (const row of this.#book.all())
      if (before.get(keyOf(row)) !== this.#standing(row).state) touched.set(`${row.server} ${row.kind}`, row);
    for (const { server, kind } of touched.values()) this.#tell(server, kind);
  }

  #tell(server: string, kind: PinKind): void {
    for (const listener of this.#listeners) listener(server, kind);
  }

  #ownNames({ server, kind, definitions }: ListSeen): ReadonlySet<string> {
    const own = new Set(definitions.map((d) => d.name));
    for (const row of this.#book.all()) if (row.server === server && row.kind === kind) own.add(row.name);
    return own;
  }

  /** The row a definition makes; undefined where it is too much to keep. */
  #judge(
    key: PinKey,
    hashed: HashedText | undefined,
    own: ReadonlySet<string>,
    clashing: boolean,
    at: EpochMs,
  ): Shown | undefined {
    const before = this.#book.shown(key);
    if (hashed === undefined || (before === undefined && own.size > MAX_SHOWN)) return undefined;
    const candidate: Candidate = { ...key, ...hashed };
    const since = before?.hash === candidate.hash ? before.at : at;
    if (clashing) {
      return { ...candidate, at: since, state: 'quarantined', why: TWICE, suspicions: [] };
    }
    if (this.#isTrusted(candidate)) return { ...candidate, at: since, state: 'approved', why: '', suspicions: [] };
    const known = before?.hash === candidate.hash && before.state !== 'approved' ? before.suspicions : undefined;
    const refusal = this.#refusal(candidate, own, known);
    if (refusal) return { ...candidate, at: since, ...refusal };
    this.#book.trust({ ...candidate, at, by: 'first use' });
    return { ...candidate, at: since, state: 'approved', why: '', suspicions: [] };
  }

  #isTrusted(candidate: PinKey & { readonly hash: string }): boolean {
    return this.#book.trusted(candidate).some((t) => t.hash === candidate.hash);
  }

  /** Why a definition that nobody approved is not taken; undefined: first use takes it. */
  #refusal(candidate: Candidate, own: ReadonlySet<string>, known: readonly string[] | undefined): Refusal | undefined {
    const { kind, text, server } = candidate;
    const suspicions = known ?? suspicionsIn(kind, text, this.#parts.detectors);
    const baseline = this.#book.baseline(candidate);
    if (this.#book.trusted(candidate).length > 0) {
      const why = baseline === undefined ? 'it changed after it was approved' : whyChanged(baseline, text);
      return { state: 'quarantined', why, suspicions };
    }
    const shadow = this.#book.names.nameTaken(candidate) ?? this.#book.names.mentions(text, server, own);
    if (shadow !== undefined) return { state: 'quarantined', why: shadow, suspicions };
    if (suspicions.length > 0) {
      const more = suspicions.length > 1 ? ` and ${suspicions.length - 1} more` : '';
      return { state: 'waiting', why: `it may speak to the model (${suspicions[0]}${more})`, suspicions };
    }
    if (this.#book.revoked(candidate)) return { state: 'waiting', why: 'its approval was taken back', suspicions };
    if (this.#parts.mode === 'locked') return { state: 'waiting', why: 'nobody has approved it yet', suspicions };
    return undefined;
  }

  /** True where a row has to be written; what happened is noted. */
  #isNews(row: Shown, before: Shown | undefined): boolean {
    const detail = { server: row.server, kind: row.kind, name: row.name, hash: row.hash };
    const same = before?.hash === row.hash && before.state === row.state && before.why === row.why;
    if (same && before.beside === row.beside) return false;
    if (same)
      this.#parts.note('mcp_definition_beside_changed', { ...detail, before: before.beside, after: row.beside });
    else if (row.state === 'approved') this.#parts.note('mcp_definition_approved', detail);
    else {
      this.#parts.note('mcp_definition_refused', { ...detail, state: row.state, why: row.why });
      this.#parts.log.warn(
        { ...detail, state: row.state, why: row.why },
        'a definition is hidden until it is approved',
      );
    }
    return true;
  }

  #present(key: PinKey, at: EpochMs): void {
    this.#seenAt.set(keyOf(key), at);
    this.#gone.delete(keyOf(key));
  }

  #leave(server: string, kind: PinKind, present: ReadonlySet<string>): boolean {
    let left = false;
    for (const row of this.#book.all()) {
      const key = keyOf(row);
      if (row.server !== server || row.kind !== kind || present.has(row.name) || this.#gone.has(key)) continue;
      left ||= this.#standing(row).state === 'approved';
      this.#gone.add(key);
    }
    return left;
  }

  #standing(key: PinKey): Standing {
    const id = keyOf(key);
    if (this.#gone.has(id)) return { state: 'unknown' };
    const row = this.#book.shown(key);
    if (row === undefined) {
      const text = this.#book.baseline(key);
      return text === undefined
        ? { state: 'unknown' }
        : { state: 'approved', definition: this.#value(text), seenAt: epochMs(0) };
    }
    const trusted = this.#isTrusted(row);
    if (trusted && row.why !== TWICE)
      return { state: 'approved', definition: this.#value(row.text), seenAt: this.#seenAt.get(id) ?? epochMs(0) };
    const why = row.state === 'approved' ? 'its approval was taken back' : row.why;
    return { state: row.state === 'quarantined' ? 'quarantined' : 'waiting', why, approval: approvalId(key, row.hash) };
  }

  #value(text: string): Json {
    const known = this.#values.get(text);
    if (known !== undefined) return known;
    const value = JSON.parse(text) as Json;
    if (this.#values.size >= MAX_SHOWN) this.#values.clear();
    this.#values.set(text, value);
    return value;
  }
}

const TWICE = 'its server lists it twice with different definitions';

const TOO_MUCH: Standing = {
  state: 'waiting',
  why: `it is longer than ${MAX_TEXT} characters or cannot be hashed, or its server lists more than ${MAX_SHOWN}; no such definition is taken`,
  approval: '',
};

/** Names that stand in one list with different definitions: nobody can tell which one a call would reach. */
function clashes(definitions: readonly Definition[], texts: readonly (HashedText | undefined)[]): ReadonlySet<string> {
  const first = new Map<string, string>();
  const clashing = new Set<string>();
  for (const [i, { name }] of definitions.entries()) {
    const hash = texts[i]?.hash ?? '';
    if ((first.get(name) ?? hash) !== hash) clashing.add(name);
    first.set(name, hash);
  }
  return clashing;
}
