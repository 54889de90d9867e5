import type { Usage } from '../../domain/usage.ts';
import type { Frame, MessageMark, StreamReader } from '../../ports/dialect.ts';

/** What readers of replies without text and tool calls have in common: nothing in them is judged or rewritten. */
export abstract class WordlessReader implements StreamReader {
  readonly #mark: MessageMark;
  protected over = false;

  constructor(mark: MessageMark) {
    this.#mark = mark;
  }

  abstract push(chunk: Uint8Array): Frame[];
  abstract end(): Frame[];
  abstract usage(): Usage;

  rewrite(frame: Frame): Uint8Array {
    return frame.bytes;
  }

  servedModel(): string | undefined {
    return undefined;
  }

  finished(): boolean {
    return this.over;
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

  /** A frame that says nothing a rule could read. */
  protected quiet(bytes: Uint8Array, finish: boolean, ping = false): Frame {
    return { bytes, hidden: false, lanes: [], texts: [], closes: [], slots: [], completes: [], finish, ping };
  }
}
