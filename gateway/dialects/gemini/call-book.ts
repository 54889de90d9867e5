import { asString, isArray, isObject, type Json, member } from '../../domain/json.ts';
import type { ProposedCall } from '../../ports/dialect.ts';
import { stringParts } from '../_shared/string-parts.ts';
import { fieldOf } from './field.ts';
import type { MarkedCall } from './mark.ts';
import { PartialArgs } from './partial-args.ts';

/** Slots: names of calls inside a reply; the same in a whole one and in a stream. */
const callSlot = (candidate: number, call: number): string => `${candidate}/call/${call}`;

/** One call of a candidate, as far as its pieces have come. */
export interface OpenCall {
  readonly slot: string;
  readonly callId: string;
  readonly tool: string;
  readonly args: PartialArgs;
  /** the record its first piece came in */
  readonly place: number;
  complete: boolean;
}

/** What one `functionCall` part did. */
export interface CallPiece {
  readonly call: OpenCall;
  readonly completes: readonly ProposedCall[];
  /** what the model wrote in it */
  readonly wrote: string;
}

/** Puts the calls of one candidate together. */
export class CallBook {
  readonly calls: OpenCall[] = [];
  readonly #candidate: number;

  constructor(candidate: number) {
    this.#candidate = candidate;
  }

  /** Takes a `functionCall`: a whole call, the head of one, or a further piece, which has no name. */
  add(body: Json, place: number): CallPiece {
    const name = asString(member(body, 'name')) ?? '';
    const last = this.calls.at(-1);
    const further = name === '' && last !== undefined && (!last.complete || isEmpty(body));
    const completes: ProposedCall[] = further ? [] : this.finish();
    const call = further ? last : this.#begin(name, asString(member(body, 'id')) ?? '', place);
    const args = member(body, 'args') ?? null;
    if (args !== null) call.args.whole(args);
    const pieces = fieldOf(body, 'partialArgs');
    const written = (isArray(pieces) ? pieces : []).map((piece) => call.args.add(piece));
    if (fieldOf(body, 'willContinue') !== true && !call.complete) {
      call.complete = true;
      completes.push(proposed(call));
    }
    return { call, completes, wrote: name + (args === null ? '' : JSON.stringify(args)) + written.join('') };
  }

  /** Everything that is still open: another call began, or the candidate ended. */
  finish(): ProposedCall[] {
    const open = this.calls.filter(({ complete }) => !complete);
    for (const call of open) call.complete = true;
    return open.map(proposed);
  }

  #begin(tool: string, callId: string, place: number): OpenCall {
    const slot = callSlot(this.#candidate, this.calls.length);
    const call: OpenCall = { slot, callId, tool, args: new PartialArgs(), place, complete: false };
    this.calls.push(call);
    return call;
  }
}

/** The end of a call is a part without anything in it. */
const isEmpty = (body: Json): boolean => isObject(body) && Object.keys(body).every((name) => name === 'willContinue');

/** A call whose arguments are no object, or whose pieces contradict each other, is judged on its raw text. */
function proposed({ slot, callId, tool, args }: OpenCall): ProposedCall {
  const value: Json = args.torn ? args.raw : args.value;
  return { slot, callId, tool, args: value, parts: stringParts(value), malformed: args.torn };
}

/** The calls as they were relayed: denied ones left out, edited ones with their new arguments. */
export const relayedCalls = (
  calls: readonly OpenCall[],
  denied: ReadonlyMap<string, string>,
  edited: ReadonlyMap<string, Json>,
): MarkedCall[] =>
  calls
    .filter(({ slot }) => !denied.has(slot))
    .map(({ slot, tool, args }) => ({ tool, args: edited.get(slot) ?? args.value }));
