import type { PlacedFinding } from '../domain/finding.ts';
import type { Detector } from '../ports/detector.ts';
import type { Frame } from '../ports/dialect.ts';

/** What a judgement of one certain stretch of text says: the text to send, or that nothing more may be sent. */
export type WindowVerdict = { readonly text: string } | 'deny';

interface Piece {
  readonly frame: Frame;
  readonly text: string;
}

/**
 * A bounded look-behind over one channel of streamed text: a frame is released only when no finding can still begin in it and end
 * in text that has not come yet, so that what is split over frames is seen whole (actions.md 4).
 */
export class TextWindow {
  readonly #detectors: readonly Detector[];
  readonly #judge: (text: string, findings: readonly PlacedFinding[]) => WindowVerdict;
  /** hold everything until the channel closes */
  readonly #whole: boolean;
  #pieces: Piece[] = [];
  #text = '';

  constructor(
    detectors: readonly Detector[],
    whole: boolean,
    judge: (text: string, findings: readonly PlacedFinding[]) => WindowVerdict,
  ) {
    this.#detectors = detectors;
    this.#whole = whole;
    this.#judge = judge;
  }

  /** the text of the frames that were not released */
  get held(): string {
    return this.#text;
  }

  add(frame: Frame, text: string): void {
    this.#pieces.push({ frame, text });
    this.#text += text;
  }

  /**
   * The frames that may go now, each with the text it carries instead (undefined: its own). 'deny': the certain text may not be sent.
   * After `closed` everything is certain.
   */
  release(closed: boolean): ReadonlyMap<Frame, string | undefined> | 'deny' {
    const released = new Map<Frame, string | undefined>();
    if (this.#pieces.length === 0) return released;
    const certain = closed ? this.#text.length : this.#whole ? 0 : this.#holdFrom();
    if (certain === 0 && this.#text.length > 0) return released;
    const findings = this.#scan(certain);
    const { count, end } = this.#boundary(certain, findings);
    if (count === 0) return released;
    const inside = findings.filter((f) => f.end <= end);
    const region = this.#text.slice(0, end);
    let text: string | undefined;
    if (inside.length > 0 || this.#whole) {
      const verdict = this.#judge(region, inside);
      if (verdict === 'deny') return 'deny';
      if (verdict.text !== region) text = verdict.text;
    }
    for (const [i, piece] of this.#pieces.slice(0, count).entries()) {
      released.set(piece.frame, text === undefined ? undefined : i === 0 ? text : '');
    }
    this.#pieces = this.#pieces.slice(count);
    this.#text = this.#text.slice(end);
    return released;
  }

  #holdFrom(): number {
    return Math.min(this.#text.length, ...this.#detectors.map((d) => d.holdFrom(this.#text)));
  }

  #scan(certain: number): PlacedFinding[] {
    return this.#detectors
      .flatMap((d) => d.scan(this.#text))
      .filter((f) => f.start < certain)
      .map((f) => ({ ...f, at: '/0', status: 'found' }));
  }

  /** The most whole frames that end inside the certain text and cut through no finding. */
  #boundary(certain: number, findings: readonly PlacedFinding[]): { count: number; end: number } {
    let best = { count: 0, end: 0 };
    let end = 0;
    for (const [i, piece] of this.#pieces.entries()) {
      end += piece.text.length;
      if (end > certain) break;
      if (!findings.some((f) => f.start < end && f.end > end)) best = { count: i + 1, end };
    }
    return best;
  }
}
