import { isArray, type Json, member } from '../../domain/json.ts';
import type { Splice } from '../../domain/json-splice.ts';
import { resolvePointer } from '../../domain/pointer.ts';
import { append } from '../_shared/append.ts';
import type { OpenCall } from './call-book.ts';
import type { Candidate, CandidatePiece, ReadPart } from './candidate.ts';
import { pick } from './field.ts';
import { callField } from './part.ts';

const BLANK_LINE = '\n\n';

/** What became of one candidate so far. */
interface Account {
  /** who spoke last, as the client sees it */
  voice: 'nobody' | 'model' | 'gate';
  /** the signature of a call that was taken away, for the next call that has none: a step's first call must carry one */
  owed: string | undefined;
  touched: boolean;
}

/** The splices that change one candidate's part of a body. */
export interface PieceEdits {
  readonly splices: readonly Splice[];
  /** nothing that was in it is left, and it held nothing but parts */
  readonly emptied: boolean;
}

/** Makes the edits of parts, in a whole reply or chunk by chunk. Remembers what it said, so that each call is replaced once. */
export class PartEdits {
  readonly denied = new Map<string, string>();
  readonly edited = new Map<string, Json>();
  readonly #placed = new Set<string>();
  readonly #accounts = new Map<Candidate, Account>();

  /** `texts`: channel → what takes the place of its text in this piece. */
  edit(body: Json, piece: CandidatePiece, texts: ReadonlyMap<string, string>): PieceEdits {
    const account = this.#account(piece.candidate);
    const splices: Splice[] = [];
    const gone: ReadPart[] = [];
    const renewed = new Set<string>();
    for (const part of piece.parts) {
      const at = piece.at + part.at;
      const edits = part.call
        ? this.#editCall(part, part.call, at, account, gone)
        : editText(part, at, account, piece.candidate, texts, renewed);
      append(splices, edits);
    }
    const changed = splices.length > 0 || gone.length > 0;
    account.touched ||= changed;
    const emptied = gone.length > 0 && gone.length === piece.parts.length;
    append(splices, removals(piece, gone, emptied));
    const element = resolvePointer(body, piece.at);
    if (account.touched) append(splices, withoutRepeats(element, piece.at));
    return { splices, emptied: emptied && holdsOnlyParts(element) };
  }

  #account(candidate: Candidate): Account {
    let account = this.#accounts.get(candidate);
    if (!account) {
      account = { voice: 'nobody', owed: undefined, touched: false };
      this.#accounts.set(candidate, account);
    }
    return account;
  }

  #editCall(part: ReadPart, call: OpenCall, at: string, account: Account, gone: ReadPart[]): Splice[] {
    const denial = this.denied.get(call.slot);
    const args = this.edited.get(call.slot);
    const first = !this.#placed.has(call.slot);
    this.#placed.add(call.slot);
    if (denial === undefined && (args === undefined || first)) {
      const field = callField(part.part)?.name ?? 'functionCall';
      const whole = args === undefined ? [] : [{ at: `${at}/${field}`, json: callJson(call, args) }];
      return first ? [...whole, ...repaid(part, at, account)] : whole;
    }
    if (denial === undefined || !first) {
      gone.push(part);
      return [];
    }
    account.owed ??= part.signature;
    const text = (account.voice === 'nobody' ? '' : BLANK_LINE) + denial;
    account.voice = 'gate';
    return [{ at, json: JSON.stringify({ text, thoughtSignature: part.signature }) }];
  }

  /** Its text was changed elsewhere: what repeats it has to go. */
  touch(candidate: Candidate): void {
    this.#account(candidate).touched = true;
  }

  /** Everything before `record` was sent as it came. */
  passed(candidate: Candidate, record: number): void {
    if (candidate.spokeAt !== undefined && candidate.spokeAt < record) this.#account(candidate).voice = 'model';
    for (const { slot, place } of candidate.book.calls) if (place < record) this.#placed.add(slot);
  }
}

const callJson = ({ callId, tool }: OpenCall, args: Json): string =>
  JSON.stringify({ ...(callId !== '' && { id: callId }), name: tool, args });

function repaid(part: ReadPart, at: string, account: Account): Splice[] {
  const { owed } = account;
  account.owed = undefined;
  return owed === undefined || part.signature !== undefined
    ? []
    : [{ at: `${at}/thoughtSignature`, json: JSON.stringify(owed) }];
}

function editText(
  { text, said }: ReadPart,
  at: string,
  account: Account,
  candidate: Candidate,
  texts: ReadonlyMap<string, string>,
  renewed: Set<string>,
): Splice[] {
  if (text === undefined) return [];
  const channel = candidate.channel(text.kind);
  const next = texts.get(channel);
  // a channel's new text stands in its first part
  let value = next === undefined ? text.text : renewed.has(channel) ? '' : next;
  if (next !== undefined) renewed.add(channel);
  if (text.kind === 'text' && value !== '') {
    if (account.voice === 'gate') value = BLANK_LINE + value;
    account.voice = 'model';
  }
  if (value === text.text) return [];
  if (said !== undefined) candidate.said[said] = value;
  return [{ at: at + text.at, json: JSON.stringify(value) }];
}

/** Last first, so that the places before stay where they are; clients expect at least one part. */
function removals(piece: CandidatePiece, gone: readonly ReadPart[], emptied: boolean): Splice[] {
  const removed = emptied ? gone.slice(1) : gone;
  const cuts = removed.toReversed().map(({ at }): Splice => ({ at: piece.at + at, remove: true }));
  const first = gone[0];
  return emptied && first ? [...cuts, { at: piece.at + first.at, json: '{"text":""}' }] : cuts;
}

/** What repeats the text: log probabilities token by token, grounding by segment. */
function withoutRepeats(element: Json | undefined, at: string): Splice[] {
  const splices: Splice[] = [];
  const logprobs = pick(element, 'logprobsResult');
  if (logprobs) splices.push({ at: `${at}/${logprobs.name}`, remove: true });
  const grounding = pick(element, 'groundingMetadata');
  const supports = pick(grounding?.value, 'groundingSupports');
  if (grounding && supports && isArray(supports.value))
    splices.push({ at: `${at}/${grounding.name}/${supports.name}`, remove: true });
  return splices;
}

const PARTS_ONLY = new Set(['content', 'index']);

const holdsOnlyParts = (element: Json | undefined): boolean =>
  typeof element === 'object' &&
  element !== null &&
  Object.keys(element).every((name) => PARTS_ONLY.has(name) || (member(element, name) ?? null) === null);
