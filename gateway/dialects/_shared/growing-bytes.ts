/** Bytes that come in pieces and leave from the front; each is copied a bounded number of times. */
export class GrowingBytes {
  #bytes: Uint8Array = new Uint8Array(0);
  #start = 0;
  #end = 0;

  get length(): number {
    return this.#end - this.#start;
  }

  append(chunk: Uint8Array): void {
    const length = this.length + chunk.length;
    if (this.#end + chunk.length > this.#bytes.length) {
      const grown = new Uint8Array(
        length > this.#bytes.length ? Math.max(length, this.#bytes.length * 2) : this.#bytes.length,
      );
      grown.set(this.view());
      this.#bytes = grown;
      this.#end = this.length;
      this.#start = 0;
    }
    this.#bytes.set(chunk, this.#end);
    this.#end += chunk.length;
  }

  /** What is there now; good until the next `append`. */
  view(): Uint8Array {
    return this.#bytes.subarray(this.#start, this.#end);
  }

  /** Takes `count` bytes off the front. */
  drop(count: number): void {
    this.#start += count;
    if (this.#start >= this.#end) {
      this.#start = 0;
      this.#end = 0;
    }
  }
}
