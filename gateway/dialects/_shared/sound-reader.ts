import type { Usage } from '../../domain/usage.ts';
import type { Frame, MessageMark } from '../../ports/dialect.ts';
import { WordlessReader } from './wordless-reader.ts';

/** Carries a reply that is bare sound: it says nothing about itself, so its usage is what the request tells. */
export class SoundReader extends WordlessReader {
  readonly #usage: Usage;

  constructor(usage: Usage, mark: MessageMark) {
    super(mark);
    this.#usage = usage;
  }

  push(bytes: Uint8Array): Frame[] {
    return [this.quiet(bytes, false)];
  }

  end(): Frame[] {
    this.over = true;
    return [];
  }

  usage(): Usage {
    return this.#usage;
  }

  /** Words have no place in sound. */
  errorEvents(): Uint8Array {
    return new Uint8Array(0);
  }
}
