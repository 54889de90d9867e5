import { asString, isObject, type Json } from '../../domain/json.ts';
import type { ProposedCall } from '../../ports/dialect.ts';
import { denseBytes } from '../_shared/least-tokens.ts';
import { CallBook, type OpenCall } from './call-book.ts';
import { elements, fieldOf, pick } from './field.ts';
import { callField, isProviderRun, type PartText, partText, signatureOf } from './part.ts';

/** One part of a candidate, read. */
export interface ReadPart {
  /** relative to the candidate */
  readonly at: string;
  readonly part: Json;
  readonly text: PartText | undefined;
  readonly call: OpenCall | undefined;
  readonly signature: string | undefined;
  /** where its visible text stands in `said` */
  readonly said: number | undefined;
}

/** What one body or chunk adds to one candidate. */
export interface CandidatePiece {
  readonly candidate: Candidate;
  /** pointer of the candidate in the body */
  readonly at: string;
  readonly parts: readonly ReadPart[];
  readonly completes: readonly ProposedCall[];
  readonly finish: boolean;
  readonly runs: number;
  readonly dense: number;
}

/** The number of a candidate: its own `index`, else its place in the list. */
export function candidateNumber(candidate: Json, place: number): number {
  const index = fieldOf(candidate, 'index');
  return typeof index === 'number' && Number.isSafeInteger(index) && index >= 0 ? index : place;
}

/** One candidate of a reply, as far as it has come. */
export class Candidate {
  readonly number: number;
  readonly book: CallBook;
  finished = false;
  /** the visible text as the provider sent it */
  text = '';
  /** visible text in order, as it is relayed */
  readonly said: string[] = [];
  readonly issued: string[] = [];
  /** the record its first visible text came in */
  spokeAt: number | undefined;

  constructor(number: number) {
    this.number = number;
    this.book = new CallBook(number);
  }

  /** The visible text as the client got it. */
  get relayed(): string {
    return this.said.join('');
  }

  channel(kind: PartText['kind']): string {
    return `${this.number}/${kind}`;
  }

  /** Takes an element of `candidates`; `at` is its pointer, `record` the number of the record it came in. */
  take(element: Json, at: string, record: number): CandidatePiece {
    const content = pick(element, 'content');
    const parts = pick(content?.value, 'parts');
    const place = `/${content?.name}/${parts?.name}`;
    const completes: ProposedCall[] = [];
    let runs = 0;
    let dense = 0;
    const read = elements(parts?.value, place).map(({ at: where, value: part }): ReadPart => {
      const text = partText(part);
      const field = callField(part);
      const piece = field && this.book.add(field.value, record);
      if (piece) completes.push(...piece.completes);
      if (isProviderRun(part)) runs += 1;
      const signature = signatureOf(part);
      if (signature !== undefined) this.issued.push(signature);
      if (!isObject(part)) return { at: where, part, text: undefined, call: undefined, signature, said: undefined };
      dense += denseBytes(text?.text ?? '') + denseBytes(piece?.wrote ?? '');
      return { at: where, part, text, call: piece?.call, signature, said: this.#say(text, record) };
    });
    const finish = isReason(fieldOf(element, 'finishReason'));
    if (finish) {
      completes.push(...this.book.finish());
      this.finished = true;
    }
    return { candidate: this, at, parts: read, completes, finish, runs, dense };
  }

  #say(text: PartText | undefined, record: number): number | undefined {
    if (text?.kind !== 'text' || text.text === '') return undefined;
    this.spokeAt ??= record;
    this.text += text.text;
    return this.said.push(text.text) - 1;
  }
}

/** Enum names, or numbers with `enum-encoding=int`; zero is unspecified. */
const isReason = (reason: Json | undefined): boolean =>
  typeof reason === 'number' ? reason !== 0 : (asString(reason) ?? '') !== '' && reason !== 'FINISH_REASON_UNSPECIFIED';
