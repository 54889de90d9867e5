import { asString, type Json, member } from '../../domain/json.ts';
import type { ProposedCall } from '../../ports/dialect.ts';
import { proposedCall, readArguments } from './arguments.ts';
import { argumentText, callSlot, functionSlot } from './choice.ts';
import type { MarkedCall } from './mark.ts';

/** One tool call of a streamed choice, as far as its pieces have come. */
export interface OpenCall {
  readonly slot: string;
  /** the index its pieces carry on the wire; undefined where they carry none */
  readonly index: number | undefined;
  readonly legacy: boolean;
  custom: boolean;
  callId: string;
  tool: string;
  raw: string;
  torn: boolean;
  complete: boolean;
}

/** Puts the pieces of one choice's tool calls together. */
export class CallBook {
  readonly calls: OpenCall[] = [];
  readonly #choice: number;
  /** the call that the pieces of an index belong to */
  readonly #byIndex = new Map<number, OpenCall>();

  constructor(choice: number) {
    this.#choice = choice;
  }

  /** Adds one element of `tool_calls` and returns its call. */
  add(piece: Json): OpenCall {
    const custom = member(piece, 'custom');
    const body = custom ?? member(piece, 'function');
    const id = asString(member(piece, 'id')) ?? '';
    const call = this.#find(piece, id, asString(member(body, 'name')) ?? '');
    call.custom ||= custom !== undefined;
    call.callId ||= id;
    return this.#grow(call, body, call.custom ? 'input' : 'arguments');
  }

  /** Adds a legacy `function_call` delta. */
  addLegacy(piece: Json): OpenCall {
    const call = this.calls.find(({ legacy }) => legacy) ?? this.#open(functionSlot(this.#choice), undefined, true);
    return this.#grow(call, piece, 'arguments');
  }

  /**
   * Calls that are complete because another began: those whose arguments already are a whole JSON object, which nothing can extend.
   * Others wait, for pieces of two calls may come in turns.
   */
  overtaken(current: readonly OpenCall[]): ProposedCall[] {
    const last = current.at(-1);
    return this.#complete(
      (call) => call !== last && !call.custom && call.raw.trim() !== '' && readArguments(call.raw) !== undefined,
    );
  }

  /** Everything that is still open, at the choice's end. */
  finish(): ProposedCall[] {
    return this.#complete(() => true);
  }

  /** The slots of this call and of all before it: a call never overtakes an earlier one, so indexes stay dense. */
  lanes(call: OpenCall): string[] {
    return this.calls.slice(0, this.calls.indexOf(call) + 1).map(({ slot }) => slot);
  }

  #complete(when: (call: OpenCall) => boolean): ProposedCall[] {
    const ready = this.calls.filter((call) => !call.complete && when(call));
    for (const call of ready) call.complete = true;
    return ready.map(proposedCall);
  }

  /**
   * The call a piece belongs to. Some servers send no index, others the same index for every call: another id together with a name
   * begins another call.
   */
  #find(piece: Json, id: string, name: string): OpenCall {
    const index = member(piece, 'index');
    const known = typeof index === 'number' ? this.#byIndex.get(index) : this.#unnumbered(id, name);
    const another = known && id !== '' && known.callId !== '' && id !== known.callId && name !== '';
    if (known && !another) return known;
    const call = this.#open(
      callSlot(this.#choice, this.calls.length),
      typeof index === 'number' ? index : undefined,
      false,
    );
    if (typeof index === 'number') this.#byIndex.set(index, call);
    return call;
  }

  #unnumbered(id: string, name: string): OpenCall | undefined {
    const calls = this.calls.filter(({ legacy }) => !legacy);
    if (id !== '') return calls.find((call) => call.callId === id);
    return name === '' ? calls.at(-1) : undefined;
  }

  #open(slot: string, index: number | undefined, legacy: boolean): OpenCall {
    const call = { slot, index, legacy, custom: false, callId: '', tool: '', raw: '', torn: false, complete: false };
    this.calls.push(call);
    return call;
  }

  #grow(call: OpenCall, body: Json | undefined, text: string): OpenCall {
    const name = asString(member(body, 'name')) ?? '';
    // one client joins two names, another keeps the last: nobody knows what such a call will run
    if (call.tool !== '' && name !== '' && name !== call.tool) call.torn = true;
    call.tool ||= name;
    const more = argumentText(member(body, text));
    if (call.complete && more.trim() !== '') call.torn = true;
    call.raw += more;
    return call;
  }
}

/** The calls as they were relayed: denied ones left out, edited ones with their new arguments. */
export const relayedCalls = (
  calls: readonly OpenCall[],
  denied: ReadonlyMap<string, string>,
  edited: ReadonlyMap<string, string>,
): MarkedCall[] =>
  calls.filter(({ slot }) => !denied.has(slot)).map(({ slot, tool, raw }) => ({ tool, raw: edited.get(slot) ?? raw }));
