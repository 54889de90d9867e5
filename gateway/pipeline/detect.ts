import { hash } from 'node:crypto';
import type { TextPart } from '../domain/action.ts';
import type { Finding, PlacedFinding } from '../domain/finding.ts';
import { Recent } from '../domain/recent.ts';
import { TextMap } from '../domain/text-map.ts';
import type { Classifier } from '../ports/classifier.ts';
import type { Detector } from '../ports/detector.ts';
import type { Log } from '../ports/log.ts';

/** Shorter texts are read again: to hash one costs as much. */
const REMEMBER_FROM = 512;
const REMEMBERED_TEXTS = 32_768;
const NOTHING: readonly Finding[] = [];

/** What detectors found in a text, by their names. */
type Found = Record<string, readonly Finding[] | undefined>;

/** What one call knows of one of its texts. */
interface KnownText {
  /** of a long text: SHA-256 of its UTF-8, in base64 */
  readonly digest: string | undefined;
  /** of a long text this outlives the call */
  readonly found: Found;
  /** what remote detectors said of it in this call */
  told?: Map<string, readonly Finding[]>;
}

/** Where a call keeps its texts: on itself, because a weak map with an entry per call keeps the collector busy. */
const TEXTS = Symbol('texts');

function textsOf(call: object): TextMap<KnownText> {
  const own = call as { [TEXTS]?: TextMap<KnownText> };
  own[TEXTS] ??= new TextMap();
  return own[TEXTS];
}

/**
 * Runs detectors over texts and remembers what they found by the text's hash: history is re-sent with every turn and is not
 * read again (actions.md 5). Holds hashes and offsets, never the text.
 */
export class Noses {
  readonly #detectors: ReadonlyMap<string, Detector>;
  readonly #classifiers: ReadonlyMap<string, Classifier>;
  readonly #log: Log;
  readonly #memory = new Recent<Found>(REMEMBERED_TEXTS);

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
        const open = [...new Set(texts)].filter((text) => !this.#known(text, call).told?.has(name));
        if (open.length === 0) return;
        const answers = await (this.#classifiers.get(name) as Classifier).classify(open, signal);
        for (const [i, text] of open.entries()) {
          const found = answers[i];
          if (found === undefined) continue;
          const known = this.#known(text, call);
          known.told ??= new Map();
          known.told.set(name, found);
        }
      }),
    );
  }

  /** SHA-256 of a long text, in base64, worked out once per call; undefined: the text is as short as that. */
  digestOf(text: string, call: object): string | undefined {
    return text.length < REMEMBER_FROM ? undefined : this.#known(text, call).digest;
  }

  #known(text: string, call: object): KnownText {
    return textsOf(call).of(text, () => this.#recalled(text));
  }

  #recalled(text: string): KnownText {
    if (text.length < REMEMBER_FROM) return { digest: undefined, found: {} };
    const digest = hash('sha256', text, 'base64');
    const found = this.#memory.get(digest) ?? {};
    this.#memory.set(digest, found);
    return { digest, found };
  }

  /**
   * Findings of the named detectors in all parts. A detector that fails yields one `unknown` finding of each of its kinds. A text that
   * comes at several points of the same `call` (any object that stands for it) is read once.
   */
  gather(names: readonly string[], parts: readonly TextPart[], call: object): PlacedFinding[] {
    const placed: PlacedFinding[] = [];
    if (names.length === 0 || parts.length === 0) return placed;
    const known = parts.map(({ text }) => this.#known(text, call));
    for (const name of names) {
      const detector = this.#detectors.get(name);
      for (const [i, part] of parts.entries()) {
        const { found, told } = known[i] as KnownText;
        if (detector) this.#smell(detector, part, found, placed);
        else {
          const heard = told?.get(name)?.map((finding) => placeIn(part, finding)) ?? unknown([`${name}.*`], part);
          for (const finding of heard) placed.push(finding);
        }
      }
    }
    return placed;
  }

  #smell(detector: Detector, part: TextPart, known: Found, placed: PlacedFinding[]): void {
    try {
      const found = known[detector.name] ?? detector.scan(part.text);
      known[detector.name] = found.length === 0 ? NOTHING : found;
      for (const finding of found) placed.push(placeIn(part, finding));
    } catch (error) {
      this.#log.error(
        { detector: detector.name, error: error instanceof Error ? error.name : 'unknown' },
        'a detector failed; rules take its kinds as found',
      );
      placed.push(...unknown(detector.kinds, part));
    }
  }
}

const placeIn = ({ at }: TextPart, finding: Finding): PlacedFinding => ({ ...finding, at, status: 'found' });

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
