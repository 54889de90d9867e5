import type { Fault } from '../../domain/fault.ts';

interface Event {
  readonly n: number;
  readonly text: string;
  readonly final: boolean;
}

export interface EventStreamOptions {
  /** names the stream in its event ids */
  readonly id: string;
  /** events get ids, and what was sent is kept for a while: a reader that lost its connection may come back */
  readonly resumable: boolean;
  /** characters that may wait for a reader before `pressure(true)` is called */
  readonly highWater: number;
  readonly pressure: (on: boolean) => void;
  /** messages were dropped, because nobody has read them for too long */
  readonly dropped?: (() => void) | undefined;
}

/** Characters of sent events that a resumable stream keeps, and of unsent ones while nobody reads. */
const REPLAY = 1024 * 1024;
const ABSENT = 4 * 1024 * 1024;
const PRIMING = 0;

/** The messages of one leg, in order, for one reader at a time; as server-sent events, or as JSON where the first one is the answer. */
export class EventStream {
  readonly id: string;
  readonly #options: EventStreamOptions;
  #events: Event[] = [];
  #next = 1;
  /** the last event that was handed to a reader */
  #sent = 0;
  #waiting = 0;
  #kept = 0;
  #ended = false;
  #failure: Fault | undefined;
  #pressed = false;
  #reader = 0;
  #attached = false;
  #left = false;
  #wake: (() => void) | undefined;

  constructor(options: EventStreamOptions) {
    this.id = options.id;
    this.#options = options;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** the number of the last event that a reader got */
  get handed(): number {
    return this.#sent;
  }

  get attached(): boolean {
    return this.#attached;
  }

  /** A message without line breaks; `final`: the answer, after which the stream is over. */
  push(text: string, final = false): void {
    if (this.#ended) return;
    this.#events.push({ n: this.#next, text, final });
    this.#next += 1;
    this.#waiting += text.length;
    this.#ended = final;
    if (this.#left && this.#waiting > ABSENT) this.#forgetUnsent();
    else this.#press();
    this.#wake?.();
  }

  /** The stream is over without an answer. */
  end(failure?: Fault): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#failure = failure;
    this.#wake?.();
  }

  /** Nobody reads it any more, until somebody comes back. */
  leave(): void {
    this.#attached = false;
    this.#left = true;
    this.#press();
  }

  /** Waits for the first event. `answer`: it is the final one, and there is no other. Throws the signal's reason, or why the stream broke. */
  async first(signal: AbortSignal, ms: number): Promise<'answer' | 'stream' | 'late'> {
    const until = performance.now() + ms;
    while (this.#events.length === 0 && !this.#ended) {
      const left = until - performance.now();
      if (left <= 0) return 'late';
      await this.#news(signal, left);
    }
    if (this.#failure && this.#events.length === 0) throw this.#failure;
    return this.#events[0]?.final === true ? 'answer' : 'stream';
  }

  /** The answer as it is, where `first` said so. */
  takeAnswer(): string {
    const event = this.#events[0] as Event;
    this.#handOver(event);
    return event.text;
  }

  /** True where everything behind event `after` is still here. */
  canResume(after: number): boolean {
    return this.#options.resumable && after < this.#next && (this.#events[0]?.n ?? this.#next) <= after + 1;
  }

  /**
   * The events behind `after` as bytes of an event stream, until the last one or until the reader leaves; an earlier reader is let go.
   * `prime`: begin with an event that has an id and no data.
   */
  read(signal: AbortSignal, after: number, prime: boolean): AsyncGenerator<Uint8Array, void> {
    this.#reader += 1;
    const me = this.#reader;
    this.#attached = true;
    this.#left = false;
    this.#wake?.();
    // also a reader who never asks for a first byte may leave
    const leave = (): void => {
      if (this.#reader === me) this.leave();
    };
    if (signal.aborted) leave();
    else signal.addEventListener('abort', leave, { once: true });
    return this.#bytes(me, signal, after, prime, () => {
      signal.removeEventListener('abort', leave);
      leave();
    });
  }

  async *#bytes(
    me: number,
    signal: AbortSignal,
    after: number,
    prime: boolean,
    left: () => void,
  ): AsyncGenerator<Uint8Array, void> {
    let last = after;
    try {
      if (prime) yield Buffer.from(`id: ${this.id}.${PRIMING}\ndata: \n\n`);
      while (this.#reader === me) {
        signal.throwIfAborted();
        const event = this.#events.find(({ n }) => n > last);
        if (event === undefined) {
          if (this.#failure) throw this.#failure;
          if (this.#ended) return;
          await this.#news(signal);
          continue;
        }
        last = event.n;
        this.#handOver(event);
        yield Buffer.from(this.#encode(event));
        if (event.final) return;
      }
    } finally {
      left();
    }
  }

  #encode({ n, text }: Event): string {
    const id = this.#options.resumable ? `id: ${this.id}.${n}\n` : '';
    return `${id}event: message\ndata: ${text}\n\n`;
  }

  #handOver(event: Event): void {
    if (event.n > this.#sent) {
      this.#sent = event.n;
      this.#waiting -= event.text.length;
      this.#kept += event.text.length;
    }
    while (this.#events.length > 0) {
      const oldest = this.#events[0] as Event;
      if (oldest.n > this.#sent || (this.#options.resumable && this.#kept <= REPLAY)) break;
      this.#events.shift();
      this.#kept -= oldest.text.length;
    }
    this.#press();
  }

  /** Nobody reads and too much waits: it is dropped, and coming back to before it is refused. */
  #forgetUnsent(): void {
    this.#events = this.#events.filter(({ final }) => final);
    this.#sent = this.#next - 1 - this.#events.length;
    this.#waiting = this.#events.reduce((sum, { text }) => sum + text.length, 0);
    this.#kept = 0;
    this.#press();
    this.#options.dropped?.();
  }

  #press(): void {
    const on = !this.#left && this.#waiting > this.#options.highWater;
    if (on === this.#pressed) return;
    this.#pressed = on;
    this.#options.pressure(on);
  }

  #news(signal: AbortSignal, ms?: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = ms === undefined ? undefined : setTimeout(() => done(), ms);
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', abort);
        if (this.#wake === done) this.#wake = undefined;
        resolve();
      };
      const abort = (): void => {
        clearTimeout(timer);
        if (this.#wake === done) this.#wake = undefined;
        reject(signal.reason as Error);
      };
      const before = this.#wake;
      this.#wake = done;
      before?.();
      if (signal.aborted) abort();
      else signal.addEventListener('abort', abort, { once: true });
    });
  }
}
