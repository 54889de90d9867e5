import type { PassedChunk } from '../../ports/mcp-wire.ts';

const LF = 10;
const CR = 13;
const COLON = 58;
const SPACE = 32;
const NEWLINE = Uint8Array.of(LF);
const DATA = 'data';

/** Follows one event line by line while it passes, and tells its data from its field names (WHATWG HTML 9.2.6). */
export class EventLines {
  #field = '';
  #inValue = false;
  #first = true;
  #afterCr = false;

  push(chunk: Uint8Array): PassedChunk {
    const data: Uint8Array[] = [];
    let from = -1;
    for (let i = 0; i < chunk.length; i += 1) {
      const c = chunk[i] as number;
      const isSecondHalf = this.#afterCr && c === LF;
      this.#afterCr = c === CR;
      if (isSecondHalf) continue;
      if (c === LF || c === CR) {
        if (from !== -1) data.push(chunk.subarray(from, i));
        from = -1;
        if (this.#isBlank()) {
          const end = c === CR && chunk[i + 1] === LF ? i + 2 : i + 1;
          return { bytes: chunk.subarray(0, end), data, after: chunk.subarray(end) };
        }
        // several data lines are one text, joined by line ends, which JSON takes for white space
        if (this.#isData()) data.push(NEWLINE);
        this.#nextLine();
      } else if (this.#inValue) {
        const skip = this.#first && c === SPACE;
        this.#first = false;
        if (!skip && from === -1 && this.#isData()) from = i;
      } else if (c === COLON) this.#inValue = true;
      else if (this.#field.length <= DATA.length) this.#field += String.fromCharCode(c);
    }
    if (from !== -1) data.push(chunk.subarray(from));
    return { bytes: chunk, data, after: undefined };
  }

  #isBlank(): boolean {
    return this.#field === '' && !this.#inValue;
  }

  #isData(): boolean {
    return this.#field === DATA;
  }

  #nextLine(): void {
    this.#field = '';
    this.#inValue = false;
    this.#first = true;
  }
}
