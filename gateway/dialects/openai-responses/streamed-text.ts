import type { Pointer } from '../../domain/pointer.ts';
import type { ItemText } from './item.ts';

/** A place in an event where a stretch of text stands. */
export interface TextPlace {
  readonly stretch: StreamedText;
  readonly at: Pointer;
  /** what stands there */
  readonly stated: string;
  /** it repeats everything so far; otherwise it is one piece */
  readonly whole: boolean;
  /** the text that is new with it, as its number in `sent`; undefined: it repeats what came before */
  readonly piece: number | undefined;
  /** the text's pieces as they go out, later ones included */
  readonly sent: string[];
  /** how many of them it is made of */
  readonly count: number;
}

/** One text of a streamed item: it comes in pieces and is then repeated whole, several times over. */
export class StreamedText {
  readonly channel: string;
  readonly kind: ItemText['kind'];
  readonly index: number;
  /** as the provider wrote it */
  text = '';
  /** pieces as they were relayed */
  #sent: string[] = [];
  /** something came since it was last closed */
  #open = false;

  constructor(slot: string, kind: ItemText['kind'], index: number) {
    this.channel = `${slot}/${kind}/${index}`;
    this.kind = kind;
    this.index = index;
  }

  get relayed(): string {
    return this.#sent.join('');
  }

  piece(at: Pointer, stated: string): TextPlace {
    this.text += stated;
    return this.#place(at, stated, false, this.#add(stated));
  }

  /** A repetition. What it says beyond the pieces is new; where it contradicts them it counts anew, all of it. */
  whole(at: Pointer, stated: string): TextPlace {
    if (!stated.startsWith(this.text)) {
      this.#sent = [];
      this.text = '';
    }
    const more = stated.slice(this.text.length);
    this.text = stated;
    return this.#place(at, stated, true, more === '' ? undefined : this.#add(more));
  }

  /** True once for each time that something was open. */
  close(): boolean {
    const open = this.#open;
    this.#open = false;
    return open;
  }

  #place(at: Pointer, stated: string, whole: boolean, piece: number | undefined): TextPlace {
    return { stretch: this, at, stated, whole, piece, sent: this.#sent, count: this.#sent.length };
  }

  #add(text: string): number {
    this.#open ||= text !== '';
    return this.#sent.push(text) - 1;
  }
}

/** The text that goes out at a place. */
export const outgoing = ({ whole, piece, sent, count, stated }: TextPlace): string =>
  whole ? sent.slice(0, count).join('') : piece === undefined ? stated : (sent[piece] as string);

/** The text of a place that is new with it. */
export const fresh = ({ piece, sent }: TextPlace): string => (piece === undefined ? '' : (sent[piece] as string));
