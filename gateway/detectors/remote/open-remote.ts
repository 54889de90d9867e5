import { hash } from 'node:crypto';
import { Pool } from 'undici';
import type { Finding } from '../../domain/finding.ts';
import type { Json } from '../../domain/json.ts';
import type { Classifier, ClassifierResult } from '../../ports/classifier.ts';
import type { Log } from '../../ports/log.ts';
import { Breaker } from './breaker.ts';
import { kindOf, PRESIDIO_KINDS, SHAPES, type ShapeTerms } from './shapes.ts';
import { Turnstile } from './turnstile.ts';

export interface RemoteTerms {
  readonly url: string;
  readonly shape: keyof typeof SHAPES;
  /** as the classifier calls them; undefined: those Presidio knows out of the box */
  readonly kinds?: readonly string[] | undefined;
  readonly language: string;
  readonly minScore: number;
  /** the longest wait for an answer, waiting in line included */
  readonly timeoutMs: number;
  readonly bearer: string | undefined;
  readonly atOnce: number;
  /** a longer text is not sent, and so has no answer */
  readonly maxChars: number;
  readonly breaker: { readonly failures: number; readonly openMs: number };
}

export interface RemoteSurroundings {
  readonly log: Log;
  readonly ticks: () => number;
  readonly onResult: (result: ClassifierResult) => void;
  readonly onBreaker: (open: boolean) => void;
}

const REMEMBERED = 8192;
const MAY_WAIT = 2048;
const MAX_ANSWER = 1_048_576;

/** Kinds a remote detector can report, as rules write them. */
export const kindsOf = (name: string, kinds: readonly string[] | undefined): readonly string[] =>
  (kinds ?? PRESIDIO_KINDS).map((kind) => kindOf(name, kind));

/** A classifier over HTTP, and how to let go of its connections. Opens none before it is asked. */
export function openRemote(
  name: string,
  terms: RemoteTerms,
  around: RemoteSurroundings,
): Classifier & { close(): Promise<void> } {
  return new Remote(name, terms, around);
}

/** Why a question came to nothing. */
class Unanswered extends Error {
  readonly result: Exclude<ClassifierResult, 'answered' | 'known'>;
  constructor(result: Unanswered['result'], why: string) {
    super(why);
    this.name = 'Unanswered';
    this.result = result;
  }
}

/** Waits for the work, or until the signal says stop; leaves nothing on the signal, which may outlive every call. */
async function orAborted(work: Promise<unknown>, signal: AbortSignal): Promise<void> {
  let stop = (): void => {};
  const aborted = new Promise<void>((resolve) => {
    stop = resolve;
  });
  if (signal.aborted) stop();
  signal.addEventListener('abort', stop, { once: true });
  try {
    await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

class Remote implements Classifier {
  readonly name: string;
  readonly kinds: readonly string[];
  readonly #terms: RemoteTerms;
  readonly #shapeTerms: ShapeTerms;
  readonly #around: RemoteSurroundings;
  readonly #pool: Pool;
  readonly #path: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #breaker: Breaker;
  readonly #turnstile: Turnstile;
  /** by hash of the text, least recently used first; never a text */
  readonly #memory = new Map<string, readonly Finding[]>();
  readonly #underWay = new Map<string, Promise<readonly Finding[] | undefined>>();
  #wasSound = true;

  constructor(name: string, terms: RemoteTerms, around: RemoteSurroundings) {
    this.name = name;
    this.kinds = kindsOf(name, terms.kinds);
    this.#terms = terms;
    this.#shapeTerms = { name, kinds: terms.kinds, language: terms.language, minScore: terms.minScore };
    this.#around = around;
    const url = new URL(terms.url);
    this.#pool = new Pool(url.origin, {
      connections: terms.atOnce,
      pipelining: 1,
      connectTimeout: terms.timeoutMs,
      headersTimeout: terms.timeoutMs,
      bodyTimeout: terms.timeoutMs,
    });
    this.#path = url.pathname + url.search;
    this.#headers = {
      'content-type': 'application/json',
      accept: 'application/json',
      ...(terms.bearer !== undefined && { authorization: `Bearer ${terms.bearer}` }),
    };
    this.#breaker = new Breaker(terms.breaker, around.ticks, (open) => this.#turned(open));
    this.#turnstile = new Turnstile(terms.atOnce, MAY_WAIT);
  }

  async classify(texts: readonly string[], signal: AbortSignal): Promise<readonly (readonly Finding[] | undefined)[]> {
    const found: (readonly Finding[] | undefined)[] = texts.map(() => undefined);
    const all = texts.map(async (text, i) => {
      found[i] = await this.#find(text);
    });
    await orAborted(Promise.all(all), signal);
    return found;
  }

  close(): Promise<void> {
    return this.#pool.destroy();
  }

  #find(text: string): Promise<readonly Finding[] | undefined> {
    const key = hash('sha256', text, 'base64');
    const known = this.#memory.get(key);
    if (known) {
      this.#memory.delete(key);
      this.#memory.set(key, known);
      this.#around.onResult('known');
      return Promise.resolve(known);
    }
    const underWay = this.#underWay.get(key);
    if (underWay) return underWay;
    const asked = this.#ask(text)
      .then((found) => this.#remember(key, found))
      .catch((error: unknown) => this.#failed(error))
      .finally(() => this.#underWay.delete(key));
    this.#underWay.set(key, asked);
    return asked;
  }

  /** Others may wait for the same answer, so it is not given up when one who asked leaves. */
  async #ask(text: string): Promise<readonly Finding[]> {
    const { maxChars, timeoutMs } = this.#terms;
    if (text.length > maxChars) throw new Unanswered('refused', `the text is longer than \`max_chars\` (${maxChars})`);
    const deadline = AbortSignal.timeout(timeoutMs);
    if (!(await this.#turnstile.enter(deadline)))
      throw new Unanswered(deadline.aborted ? 'timeout' : 'refused', 'too many questions were in line');
    try {
      if (!this.#breaker.enter()) throw new Unanswered('refused', 'the breaker is open');
      return await this.#attempt(text, deadline);
    } finally {
      this.#turnstile.leave();
    }
  }

  /** One question that the breaker let through. */
  async #attempt(text: string, deadline: AbortSignal): Promise<readonly Finding[]> {
    try {
      const found = await this.#request(text, deadline);
      this.#breaker.passed();
      return found;
    } catch (error) {
      this.#breaker.failed();
      if (deadline.aborted) throw new Unanswered('timeout', `no answer within ${this.#terms.timeoutMs} ms`);
      throw error;
    }
  }

  async #request(text: string, signal: AbortSignal): Promise<readonly Finding[]> {
    const shape = SHAPES[this.#terms.shape];
    const { statusCode, body } = await this.#pool.request({
      method: 'POST',
      path: this.#path,
      headers: this.#headers,
      body: JSON.stringify(shape.request(text, this.#shapeTerms)),
      signal,
    });
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of body as AsyncIterable<Buffer>) {
      size += chunk.length;
      // leaving the loop closes the connection
      if (size > MAX_ANSWER) throw new Unanswered('failed', `its answer is larger than ${MAX_ANSWER} bytes`);
      chunks.push(chunk);
    }
    if (statusCode !== 200) throw new Unanswered('failed', `it answered with status ${statusCode}`);
    try {
      return shape.findings(JSON.parse(Buffer.concat(chunks).toString('utf8')) as Json, text, this.#shapeTerms);
    } catch (error) {
      if (!(error instanceof SyntaxError || error instanceof TypeError)) throw error;
      // a parser quotes what it cannot read, and that may be the text itself
      const why = error instanceof TypeError ? error.message : 'no JSON';
      throw new Unanswered('failed', `its answer is not of the shape \`${this.#terms.shape}\`: ${why}`);
    }
  }

  #remember(key: string, found: readonly Finding[]): readonly Finding[] {
    this.#memory.set(key, found);
    if (this.#memory.size > REMEMBERED) this.#memory.delete(this.#memory.keys().next().value as string);
    this.#around.onResult('answered');
    if (!this.#wasSound) this.#around.log.info({ detector: this.name }, 'a remote detector answers again');
    this.#wasSound = true;
    return found;
  }

  /** Counts every failure, and logs the first of a row. */
  #failed(error: unknown): undefined {
    const result = error instanceof Unanswered ? error.result : 'failed';
    this.#around.onResult(result);
    if (result !== 'refused' && this.#wasSound) {
      const why = error instanceof Unanswered ? error.message : ((error as { code?: string }).code ?? 'unknown');
      this.#around.log.warn(
        { detector: this.name, why },
        'a remote detector gave no answer; rules take its kinds as found',
      );
      this.#wasSound = false;
    }
    return undefined;
  }

  #turned(open: boolean): void {
    this.#around.onBreaker(open);
    const fields = { detector: this.name, for_ms: this.#terms.breaker.openMs };
    if (open) this.#around.log.error(fields, 'a remote detector keeps failing and is not asked for a while');
    else this.#around.log.info({ detector: this.name }, 'a remote detector is asked again');
  }
}
