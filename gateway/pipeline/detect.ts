import { hash } from 'node:crypto';
import type { TextPart } from '../domain/action.ts';
import type { Finding, PlacedFinding } from '../domain/finding.ts';
import type { Classifier } from '../ports/classifier.ts';
import type { Detector } from '../ports/detector.ts';
import type { Log } from '../ports/log.ts';

const REMEMBER_FROM = 512;
/** What one call's texts smelled of, by detector and text; it lives as long as the call, as the texts do. */
type Smelled = Map<string, Map<string, readonly Finding[]>>;
/** Where a call keeps it: on itself, because a weak map with an entry per call keeps the collector busy. */
const SMELLED = Symbol('smelled');
const REMEMBERED_PARTS = 4096;

/**
 * Runs detectors over texts and remembers what they found by the text's hash: history is re-sent with every turn and is not
 * read again (actions.md 5). Holds hashes and offsets, never the text.
 */
export class Noses {
  readonly #detectors: ReadonlyMap<string, Detector>;
  readonly #classifiers: ReadonlyMap<string, Classifier>;
  readonly #log: Log;
  readonly #memory = new Map<string, readonly Finding[]>();

  constructor(
    detectors: ReadonlyMap<string, Detector>,
    log: Log,
    classifiers: ReadonlyMap<string, Classifier> = new Map(),
  ) {
    this.#detectors = detectors;
    this.#classifiers = classifiers;
    this.#log = log;
  }

  /** Somebody could have to be asked over the network. */
  get asks(): boolean {
    return this.#classifiers.size > 0;
  }

  /** Those of the names that are asked over the network. */
  remote(names: readonly string[]): readonly string[] {
    return this.asks ? names.filter((name) => this.#classifiers.has(name)) : [];
  }

  /** Gathers what the remote ones among the named detectors say about the texts, once per text and call; `gather` then knows it. Never throws. */
  async ask(names: readonly string[], texts: readonly string[], call: object, signal: AbortSignal): Promise<void> {
    await Promise.all(
      this.remote(names).map(async (name) => {
        const known = this.#smelled(name, call);
        const open = [...new Set(texts)].filter((text) => !known.has(text));
        if (open.length === 0) return;
        const answers = await (this.#classifiers.get(name) as Classifier).classify(open, signal);
        for (const [i, text] of open.entries()) {
          const found = answers[i];
          if (found !== undefined) known.set(text, found);
        }
      }),
    );
  }

  #smelled(name: string, call: object): Map<string, readonly Finding[]> {
    const own = call as { [SMELLED]?: Smelled };
    own[SMELLED] ??= new Map();
    const smelled = own[SMELLED];
    const known = smelled.get(name) ?? new Map<string, readonly Finding[]>();
    smelled.set(name, known);
    return known;
  }

  /**
   * Findings of the named detectors in all parts. A detector that fails yields one `unknown` finding of each of its kinds. A text that
   * comes at several points of the same `call` (any object that stands for it) is read once.
   */
  gather(names: readonly string[], parts: readonly TextPart[], call: object): PlacedFinding[] {
    const placed: PlacedFinding[] = [];
    if (names.length === 0 || parts.length === 0) return placed;
    for (const name of names) {
      const detector = this.#detectors.get(name);
      const known = this.#smelled(name, call);
      for (const part of parts) {
        if (!detector) this.#recall(name, part, known, placed);
        else this.#smell(detector, part, known, placed);
      }
    }
    return placed;
  }

  /** What was gathered beforehand; a text without an answer is `unknown`. */
  #recall(name: string, part: TextPart, known: ReadonlyMap<string, readonly Finding[]>, placed: PlacedFinding[]): void {
    const found = known.get(part.text);
    if (!found) placed.push(...unknown([`${name}.*`], part));
    else for (const finding of found) placed.push({ ...finding, at: part.at, status: 'found' });
  }

  #smell(detector: Detector, part: TextPart, known: Map<string, readonly Finding[]>, placed: PlacedFinding[]): void {
    try {
      const found = known.get(part.text) ?? this.#scan(detector, part.text);
      known.set(part.text, found);
      for (const finding of found) placed.push({ ...finding, at: part.at, status: 'found' });
    } catch (error) {
      this.#log.error(
        { detector: detector.name, error: error instanceof Error ? error.name : 'unknown' },
        'a detector failed; rules take its kinds as found',
      );
      placed.push(...unknown(detector.kinds, part));
    }
  }

  #scan(detector: Detector, text: string): readonly Finding[] {
    if (text.length < REMEMBER_FROM) return detector.scan(text);
    const key = `${detector.name}:${hash('sha256', text, 'base64')}`;
    const known = this.#memory.get(key);
    if (known) {
      this.#memory.delete(key);
      this.#memory.set(key, known);
      return known;
    }
    const found = detector.scan(text);
    this.#memory.set(key, found);
    if (this.#memory.size > REMEMBERED_PARTS) this.#memory.delete(this.#memory.keys().next().value as string);
    return found;
  }
}

function unknown(kinds: readonly string[], part: TextPart): PlacedFinding[] {
  return kinds.map((kind) => ({
    kind,
    start: 0,
    end: part.text.length,
    confidence: 0,
    at: part.at,
    status: 'unknown',
  }));
}
