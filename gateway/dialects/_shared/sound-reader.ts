import type { Usage } from '../../domain/usage.ts';
import type { Frame, MessageMark, StreamReader } from '../../ports/dialect.ts';

const NOTHING = { hidden: false, lanes: [], texts: [], closes: [], slots: [], completes: [], ping: false };

/** Carries a reply that is bare sound: it says nothing about itself, so its usage is what the request tells. */
export class SoundReader implements StreamReader {
  readonly #usage: Usage;
  readonly #mark: MessageMark;
  #over = false;

  constructor(usage: Usage, mark: MessageMark) {
    this.#usage = usage;
    this.#mark = mark;
  }

  push(bytes: Uint8Array): Frame[] {
    return [{ ...NOTHING, bytes, finish: false }];
  }

  end(): Frame[] {
    this.#over = true;
    return [];
  }

  rewrite(frame: Frame): Uint8Array {
    return frame.bytes;
  }

  usage(): Usage {
    return this.#usage;
  }

  servedModel(): undefined {
    return undefined;
  }

  finished(): boolean {
    return this.#over;
  }

  failed(): boolean {
    return false;
  }

  outputFloor(): number {
    return 0;
  }

  providerRuns(): number {
    return 0;
  }

  text(): string {
    return '';
  }

  issuedIds(): readonly string[] {
    return [];
  }

  mark(): MessageMark {
    return this.#mark;
  }

  /** Words have no place in sound. */
  errorEvents(): Uint8Array {
    return new Uint8Array(0);
  }
}
