import type { FaultCode } from '../domain/fault.ts';
import type { Ending } from '../domain/receipt.ts';
import type { Frame, Saying, StreamReader } from '../ports/dialect.ts';
import { keepLease } from './carry.ts';
import type { ChargeTerms } from './charge.ts';
import { remember, seal, settle, type Turn } from './conclude.ts';
import type { Gateway } from './gateway.ts';
import type { Hold } from './hold.ts';
import { NOT_SERVED, type Outcome } from './outcome.ts';
import { replyFacts } from './relay-unary.ts';
import { StreamHearing } from './review-stream.ts';
import type { Hearing } from './review-unary.ts';
import { cutFor, cutOf } from './socket-cut.ts';
import type { Trail } from './trail.ts';

/** What is known about a call once its write-ahead line stands. */
export interface CallTerms {
  readonly gate: Gateway;
  readonly trail: Trail;
  readonly hold: Hold;
  readonly terms: ChargeTerms;
  readonly turn: Turn;
  readonly hearing: Hearing;
  readonly reader: StreamReader;
  readonly lane: string;
  /** the client's name for the message that asked */
  readonly clientId: string | undefined;
}

/** What one message of the provider came to. */
export interface Taken {
  readonly out: readonly Uint8Array[];
  /** set once: from here on nothing of this response is sent */
  readonly cut?: Saying | undefined;
}

const NOTHING: Taken = { out: [] };

/** One response of a socket, from its write-ahead line to its receipt. */
export class SocketCall {
  readonly lane: string;
  readonly clientId: string | undefined;
  readonly #call: CallTerms;
  readonly #stream: StreamHearing;
  readonly #stopLease: () => void;
  /** the response has begun */
  #begun = false;
  #closed = false;
  #cut: FaultCode | undefined;
  #ended: Promise<void> | undefined;
  /** nobody waits for its review any more */
  readonly #gone = new AbortController();

  constructor(call: CallTerms) {
    this.#call = call;
    this.lane = call.lane;
    this.clientId = call.clientId;
    this.#stream = new StreamHearing(call.hearing, call.reader);
    this.#stopLease = keepLease(call.gate, call.trail.id);
    call.trail.status = 200;
  }

  /** The provider said that the response is over. */
  get over(): boolean {
    return this.#call.reader.finished() || this.#call.reader.failed();
  }

  get ended(): boolean {
    return this.#ended !== undefined;
  }

  /** Nothing of it is sent any more; what still comes is metered. */
  mute(code: FaultCode): void {
    this.#cut = code;
    this.#call.trail.fault = code;
  }

  /** It never came to its write-ahead line. */
  abandon(): void {
    this.#stopLease();
    this.#gone.abort();
  }

  /** Reads one message of this response. Never throws for what the provider sent. */
  async take(message: Uint8Array): Promise<Taken> {
    const { reader, trail, gate, hearing } = this.#call;
    this.#begun = true;
    try {
      const frames = reader.push(message);
      if (this.#cut !== undefined) return NOTHING;
      trail.firstByteTicks ??= gate.clock.ticks();
      if (hearing.bench.noses.asks) await this.#stream.ask(frames, this.over, this.#gone.signal);
      // the socket ended while the question was open: its receipt is sealed
      return this.ended ? NOTHING : this.#review(frames);
    } catch (error) {
      return this.#stop([], cutOf(gate, trail, error));
    }
  }

  /**
   * Charges the call and writes its receipt, once. `ending` where it was broken off. Resolves when it is charged; `sealed` when the
   * receipt is written.
   */
  async end(ending?: Ending, sealed?: (done: Promise<void>) => void): Promise<void> {
    this.#ended ??= this.#end(this.#outcome(ending), sealed);
    await this.#ended;
  }

  /** The provider certainly did not take it on: it costs nothing. */
  async refused(sealed?: (done: Promise<void>) => void, ending: Ending = 'upstream_error'): Promise<void> {
    this.#ended ??= this.#end({ ...NOT_SERVED, ending }, sealed);
    await this.#ended;
  }

  #review(frames: readonly Frame[]): Taken {
    const { review } = this.#stream;
    const out = review.take(frames);
    if (this.over && !this.#closed && !review.refused) {
      this.#close();
      if (!this.#stream.denied) out.push(...review.end());
    }
    const withheld = this.#stream.denied !== undefined || review.refused;
    return withheld ? this.#stop(out, cutFor(this.#stream.denied)) : { out };
  }

  #stop(out: readonly Uint8Array[], cut: Saying): Taken {
    this.mute(cut.code);
    return { out, cut };
  }

  #close(): void {
    this.#closed = true;
    const { terms, reader } = this.#call;
    this.#stream.close(replyFacts(terms, reader.usage()));
  }

  #outcome(ending: Ending | undefined): Outcome {
    const { reader, gate, trail } = this.#call;
    if (this.#begun && !this.#closed) {
      try {
        this.#close();
      } catch (error) {
        gate.log.error({ call: trail.id, error }, 'the end of a response could not be judged');
      }
    }
    const natural = reader.failed() ? 'upstream_error' : 'completed';
    return {
      ending: this.#cut === undefined ? (ending ?? natural) : 'cut',
      usage: reader.usage(),
      served: true,
      fault: this.#cut,
      servedModel: reader.servedModel(),
      outputFloor: reader.outputFloor(),
      providerRuns: reader.providerRuns(),
      ...(reader.finished() && { answer: reader.mark(), text: () => reader.text() }),
      issuedIds: reader.issuedIds(),
    };
  }

  async #end(outcome: Outcome, sealed: ((done: Promise<void>) => void) | undefined): Promise<void> {
    const { gate, trail, hold, terms, turn } = this.#call;
    this.abandon();
    trail.ending = outcome.ending;
    const charged = await settle(gate, trail, hold, terms, outcome);
    remember(gate, turn, outcome, charged);
    gate.metrics.inFlight(-1);
    const done = seal(gate, trail);
    if (sealed) sealed(done);
    else await done;
  }
}
