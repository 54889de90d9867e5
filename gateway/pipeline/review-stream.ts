import type { PlacedFinding } from '../domain/finding.ts';
import type { JudgedAction } from '../domain/receipt.ts';
import { severity, type Verdict } from '../domain/verdict.ts';
import { applyEdits } from '../policy/apply-edits.ts';
import type { Detector } from '../ports/detector.ts';
import type { Frame, StreamReader } from '../ports/dialect.ts';
import { ask } from './ask.ts';
import type { ReplyFacts } from './facts.ts';
import { selectionOf } from './facts.ts';
import { type Judged, judge } from './judgement.ts';
import { proposedCall, streamedText } from './reply-actions.ts';
import { type Hearing, ruleCall } from './review-unary.ts';
import { StreamReview } from './stream-review.ts';
import type { WindowVerdict } from './text-window.ts';

const TEXT_POINTS = ['post_model_call', 'output'] as const;
type TextPoint = (typeof TEXT_POINTS)[number];

/** The review of one streamed reply: windows while it flows, one verdict per point at its end. */
export class StreamHearing {
  readonly review: StreamReview;
  readonly #hearing: Hearing;
  readonly #reader: StreamReader;
  /** the strictest window verdict so far, by point */
  readonly #windows = new Map<TextPoint, Judged>();
  #calls = 0;
  #denied: Verdict | undefined;
  /** how much of the reply's text was searched for look-alikes of tokens */
  #searched = 0;
  /** remote detectors that a rule about the text names: it is held whole, and they are asked when it is complete */
  readonly #remote: readonly string[];

  constructor(hearing: Hearing, reader: StreamReader) {
    this.#hearing = hearing;
    this.#reader = reader;
    const { bench, model } = hearing;
    const relevance = TEXT_POINTS.map((point) =>
      bench.gate.judge.relevance(selectionOf(bench.facts, { point, model })),
    );
    const needed = new Set(relevance.filter((r) => r.redacts || r.binding).flatMap((r) => r.detectors));
    this.#remote = bench.noses.remote([...needed]);
    this.review = new StreamReview(reader, {
      holdFinish: relevance.some((r) => r.binding),
      ruleCall: (call) => {
        this.#calls += 1;
        return ruleCall(hearing, call);
      },
      detectors: [...needed]
        .map((name) => bench.gate.detectors.get(name))
        .filter((d): d is Detector => d !== undefined),
      whole: this.#remote.length > 0 || relevance.some((r) => r.whole),
      ruleText: (text, findings) => this.#ruleText(text, findings),
    });
  }

  /** The verdict that withheld the stream, if one did. */
  get denied(): Verdict | undefined {
    return this.#denied;
  }

  /**
   * Asks remote detectors what they see in the texts and tool calls that these frames complete; `over`: nothing comes after them. Call
   * it before the frames are taken, where `bench.noses.asks`.
   */
  async ask(frames: readonly Frame[], over: boolean, signal: AbortSignal): Promise<void> {
    const { bench, model } = this.#hearing;
    const calls = frames.flatMap((frame) => frame.completes).map((call) => proposedCall(call, model, undefined));
    const texts = this.#remote.length > 0 ? this.review.completing(frames, over) : [];
    await Promise.all([bench.noses.ask(this.#remote, texts, bench, signal), ask(bench, calls, signal)]);
  }

  #ruleText(text: string, findings: readonly PlacedFinding[]): WindowVerdict {
    const { bench } = this.#hearing;
    // what the model wrote before may look like a token, and must never become one
    const said = this.#reader.text();
    bench.gate.tokens.place(bench.space, bench.principal.run.id, [{ at: '', text: said.slice(this.#searched) }], []);
    this.#searched = said.length;
    let current = text;
    let known: readonly PlacedFinding[] = [
      ...findings,
      ...bench.noses.gather(this.#remote, [{ at: '/0', text }], bench),
    ];
    for (const point of TEXT_POINTS) {
      const judged = judge(this.#hearing.bench, streamedText(point, current, this.#hearing.model), { findings: known });
      this.#keep(point, judged);
      if (judged.verdict.decision === 'deny' || judged.verdict.decision === 'escalate') {
        this.#denied = judged.verdict;
        return 'deny';
      }
      if (judged.verdict.edits.length === 0) continue;
      const edited = applyEdits([current], judged.verdict.edits);
      current = Array.isArray(edited) && typeof edited[0] === 'string' ? edited[0] : '';
      known = [];
    }
    return { text: current };
  }

  #keep(point: TextPoint, judged: Judged): void {
    const before = this.#windows.get(point);
    if (!before || severity(judged.verdict.decision) > severity(before.verdict.decision))
      this.#windows.set(point, judged);
  }

  /**
   * The end of the reply: `post_model_call` always, `output` where no tool was called, over the whole text. Returns the verdict that
   * withholds the end, if one does. Call once.
   */
  close(facts: ReplyFacts): Verdict | undefined {
    const text = this.#reader.text();
    for (const point of TEXT_POINTS) {
      if (point === 'output' && (this.#calls > 0 || text === '')) continue;
      // what the windows judged is not judged again: findings are theirs
      const judged = judge(this.#hearing.bench, streamedText(point, text, this.#hearing.model), {
        findings: [],
        reply: facts,
      });
      const window = this.#windows.get(point);
      this.#record(judged, window);
      if (this.#denied === undefined && (judged.verdict.decision === 'deny' || judged.verdict.decision === 'escalate'))
        this.#denied = judged.verdict;
    }
    return this.#denied;
  }

  #record(final: Judged, window: Judged | undefined): void {
    const strictest =
      window && severity(window.verdict.decision) > severity(final.verdict.decision) ? window.record : final.record;
    const findings = window?.record.findings;
    const record: JudgedAction = {
      ...strictest,
      input_identity: final.record.input_identity,
      ...(findings && { findings }),
    };
    this.#hearing.record(record);
  }
}
