import type { PlacedFinding } from '../domain/finding.ts';
import type { Json } from '../domain/json.ts';
import type { Detector } from '../ports/detector.ts';
import type { Frame, ProposedCall, StreamReader } from '../ports/dialect.ts';
import { TextWindow, type WindowVerdict } from './text-window.ts';

/** What became of a proposed tool call. */
export type CallRuling =
  | { readonly kind: 'pass' }
  | { readonly kind: 'deny'; readonly text: string }
  | { readonly kind: 'edit'; readonly args: Json };

/** How a stream is to be reviewed; everything sync, so that frames keep their order. */
export interface StreamRules {
  /** the frame that ends the reply waits for the verdict on the whole */
  readonly holdFinish: boolean;
  readonly ruleCall: (call: ProposedCall) => CallRuling;
  /** detectors that read the text as it flows; empty: text is not held */
  readonly detectors: readonly Detector[];
  readonly whole: boolean;
  readonly ruleText: (text: string, findings: readonly PlacedFinding[]) => WindowVerdict;
}

const NO_TEXTS: ReadonlyMap<string, string> = new Map();

interface Waiting {
  readonly frame: Frame;
  /** text to send instead, by channel; set when its window released it */
  readonly texts: Map<string, string>;
  /** channels whose text is not yet certain */
  readonly uncertain: Set<string>;
}

/**
 * Holds back the frames of a stream that may not go yet and lets the rest flow. Untouched frames keep their bytes and their order;
 * after the first change every later frame is offered to the dialect, which keeps indexes and finish reasons consistent.
 */
export class StreamReview {
  readonly #reader: StreamReader;
  readonly #rules: StreamRules;
  readonly #windows = new Map<string, TextWindow>();
  readonly #rulings = new Map<string, CallRuling>();
  readonly #denied = new Map<string, string>();
  readonly #edited = new Map<string, Json>();
  #queue: Waiting[] = [];
  #changed = false;
  #refused = false;
  #mayFinish = false;

  constructor(reader: StreamReader, rules: StreamRules) {
    this.#reader = reader;
    this.#rules = rules;
  }

  /** A rule withheld the text: nothing more may be sent. */
  get refused(): boolean {
    return this.#refused;
  }

  /** Frames are being held. */
  get holding(): boolean {
    return this.#queue.length > 0;
  }

  /** The whole texts that will be judged when these frames are taken; `over`: and the reply ends with them. */
  completing(frames: readonly Frame[], over: boolean): readonly string[] {
    const fresh = new Map<string, string>();
    const texts: string[] = [];
    const complete = (channel: string): void => {
      const text = (this.#windows.get(channel)?.held ?? '') + (fresh.get(channel) ?? '');
      fresh.delete(channel);
      if (text !== '') texts.push(text);
    };
    for (const frame of frames) {
      if (frame.hidden) continue;
      for (const { channel, text } of frame.texts) fresh.set(channel, (fresh.get(channel) ?? '') + text);
      for (const channel of frame.closes) complete(channel);
    }
    if (over) for (const channel of new Set([...this.#windows.keys(), ...fresh.keys()])) complete(channel);
    return texts;
  }

  /** Takes frames in order and returns the bytes that may go now. */
  take(frames: readonly Frame[]): Uint8Array[] {
    const out: Uint8Array[] = [];
    for (const frame of frames) {
      for (const call of frame.completes) this.#rule(call);
      if (frame.hidden) continue;
      this.#queue.push(this.#wait(frame));
      for (const channel of frame.closes) this.#advance(channel, true);
    }
    this.#flush(out);
    return out;
  }

  /** Something could still be held or changed: half an event at the end of a stream may not slip by unread. */
  get binding(): boolean {
    return (
      this.#changed ||
      this.#queue.length > 0 ||
      this.#rules.detectors.length > 0 ||
      this.#rules.whole ||
      this.#rules.holdFinish
    );
  }

  /** The reply is complete and may end: all text is certain; what is still undecided was never completed and stays here. */
  end(): Uint8Array[] {
    const out: Uint8Array[] = [];
    this.#mayFinish = true;
    for (const channel of this.#windows.keys()) this.#advance(channel, true);
    this.#flush(out);
    return out;
  }

  #rule(call: ProposedCall): void {
    const ruling = this.#rules.ruleCall(call);
    this.#rulings.set(call.slot, ruling);
    if (ruling.kind === 'deny') this.#denied.set(call.slot, ruling.text);
    else if (ruling.kind === 'edit') this.#edited.set(call.slot, ruling.args);
    if (ruling.kind !== 'pass') this.#changed = true;
  }

  #wait(frame: Frame): Waiting {
    const waiting: Waiting = { frame, texts: new Map(), uncertain: new Set() };
    if (this.#rules.detectors.length === 0 && !this.#rules.whole) return waiting;
    for (const { channel, text } of frame.texts) {
      let window = this.#windows.get(channel);
      if (!window) {
        window = new TextWindow(this.#rules.detectors, this.#rules.whole, this.#rules.ruleText);
        this.#windows.set(channel, window);
      }
      window.add(frame, text);
      waiting.uncertain.add(channel);
    }
    return waiting;
  }

  /** Asks a channel's window which of its frames are certain by now. */
  #advance(channel: string, closed: boolean): void {
    const released = this.#windows.get(channel)?.release(closed);
    if (released === undefined) return;
    if (released === 'deny') {
      this.#refused = true;
      return;
    }
    for (const waiting of this.#queue) {
      if (!released.has(waiting.frame)) continue;
      waiting.uncertain.delete(channel);
      const text = released.get(waiting.frame);
      if (text !== undefined) {
        waiting.texts.set(channel, text);
        this.#changed = true;
      }
    }
  }

  #flush(out: Uint8Array[]): void {
    for (const channel of this.#windows.keys()) this.#advance(channel, false);
    if (this.#refused) return;
    const blocked = new Set<string>();
    let barrier = false;
    const kept: Waiting[] = [];
    for (const waiting of this.#queue) {
      const { frame } = waiting;
      const stuck =
        barrier || (frame.lanes.length === 0 ? kept.length > 0 : frame.lanes.some((lane) => blocked.has(lane)));
      if (stuck || !this.#ready(waiting)) {
        kept.push(waiting);
        if (frame.lanes.length === 0) barrier = true;
        for (const lane of frame.lanes) blocked.add(lane);
        continue;
      }
      this.#send(waiting, out);
    }
    this.#queue = kept;
  }

  #ready({ frame, uncertain }: Waiting): boolean {
    if (frame.finish && this.#rules.holdFinish && !this.#mayFinish) return false;
    return uncertain.size === 0 && frame.slots.every((slot) => this.#rulings.has(slot));
  }

  #send({ frame, texts }: Waiting, out: Uint8Array[]): void {
    if (!this.#changed) {
      out.push(frame.bytes);
      return;
    }
    const bytes = this.#reader.rewrite(frame, {
      texts: texts.size === 0 ? NO_TEXTS : texts,
      denied: this.#denied,
      edited: this.#edited,
    });
    if (bytes.length > 0) out.push(bytes);
  }
}
