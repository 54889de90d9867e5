import { isArray, isObject, type Json, member } from '../../domain/json.ts';
import { type Splice, spliceAll } from '../../domain/json-splice.ts';
import type { Frame, FrameChanges } from '../../ports/dialect.ts';
import { withData } from '../_shared/sse.ts';
import { wireArguments } from './arguments.ts';
import type { OpenCall } from './call-book.ts';
import { isVisible, type Stretch } from './choice.ts';
import { BLANK_LINE } from './edit-reply.ts';
import type { ChoicePiece, FrameContents, StreamedChoice } from './streamed-choice.ts';

/** Who spoke last in a choice, as the client sees it. */
type Voice = 'nobody' | 'model' | 'gate';

const encoder = new TextEncoder();

/** Makes the bytes of frames whose reply has changed. Remembers what it said, so that each call is replaced once. */
export class Rewriter {
  readonly denied = new Map<string, string>();
  /** slot → argument text */
  readonly edited = new Map<string, string>();
  /** slots whose replacement has been sent */
  readonly #placed = new Set<string>();
  readonly #voices = new Map<StreamedChoice, Voice>();

  rewrite(frame: Frame, { event, pieces }: FrameContents, changes: FrameChanges): Uint8Array {
    for (const [slot, text] of changes.denied) this.denied.set(slot, text);
    for (const [slot, args] of changes.edited) this.edited.set(slot, wireArguments(args));
    const splices = pieces.flatMap((piece) => this.#rewritePiece(event.body, piece, changes.texts));
    if (splices.length === 0) return frame.bytes;
    const data = spliceAll(event.data, splices);
    if (saysNothing(JSON.parse(data) as Json)) return new Uint8Array(0);
    return encoder.encode(withData(event.text, data));
  }

  #rewritePiece(body: Json, piece: ChoicePiece, texts: ReadonlyMap<string, string>): Splice[] {
    const at = `/choices/${piece.place}`;
    const element = (member(body, 'choices') as readonly Json[])[piece.place] as Json;
    const delta = member(element, 'delta');
    const said: string[] = [];
    const splices = [...this.#rewriteCalls(piece, delta, `${at}/delta`, said)];
    splices.push(...this.#rewriteTexts(piece, delta, `${at}/delta`, texts, said));
    const reason = member(element, 'finish_reason');
    const { calls } = piece.choice.book;
    const anyLeft = calls.some(({ slot }) => !this.denied.has(slot));
    if (calls.length > 0 && !anyLeft && (reason === 'tool_calls' || reason === 'function_call'))
      splices.push({ at: `${at}/finish_reason`, json: '"stop"' });
    if (splices.length === 0) return splices;
    // log probabilities repeat the text token by token, a whole `message` beside the delta repeats all of it
    if ((member(element, 'logprobs') ?? null) !== null) splices.push({ at: `${at}/logprobs`, json: 'null' });
    if (member(element, 'message') !== undefined) splices.push({ at: `${at}/message`, remove: true });
    return splices;
  }

  #rewriteCalls(piece: ChoicePiece, delta: Json | undefined, at: string, said: string[]): Splice[] {
    const splices: Splice[] = [];
    const gone: number[] = [];
    for (const [k, call] of piece.calls.entries()) {
      const place = `${at}/tool_calls/${k}`;
      const first = !this.#placed.has(call.slot);
      const denial = this.denied.get(call.slot);
      const args = this.edited.get(call.slot);
      if (denial !== undefined || args !== undefined) this.#placed.add(call.slot);
      if (denial !== undefined) {
        if (first) said.push(denial);
        gone.push(k);
      } else if (args !== undefined && !first) gone.push(k);
      else {
        const element = (member(delta, 'tool_calls') as readonly Json[])[k] as Json;
        if (args !== undefined) splices.push(...wholeCall(element, call, args, place));
        splices.push(...this.#renumber(piece.choice, call, place));
      }
    }
    splices.push(...removeElements(`${at}/tool_calls`, gone, piece.calls.length));
    splices.push(...this.#rewriteLegacy(piece.legacy, delta, at, said));
    return splices;
  }

  #rewriteLegacy(call: OpenCall | undefined, delta: Json | undefined, at: string, said: string[]): Splice[] {
    if (!call) return [];
    const first = !this.#placed.has(call.slot);
    const denial = this.denied.get(call.slot);
    const args = this.edited.get(call.slot);
    if (denial === undefined && args === undefined) return [];
    this.#placed.add(call.slot);
    if (denial !== undefined && first) said.push(denial);
    if (denial !== undefined || !first || args === undefined) return [{ at: `${at}/function_call`, remove: true }];
    const name = member(member(delta, 'function_call'), 'name') === undefined;
    return [
      ...(name ? [{ at: `${at}/function_call/name`, json: JSON.stringify(call.tool) }] : []),
      { at: `${at}/function_call/arguments`, json: JSON.stringify(args) },
    ];
  }

  /** The index of a call that stays, less the denied ones before it. */
  #renumber({ book }: StreamedChoice, call: OpenCall, place: string): Splice[] {
    if (call.index === undefined) return [];
    const before = book.calls.slice(0, book.calls.indexOf(call)).filter(({ slot }) => this.denied.has(slot)).length;
    const index = Math.max(0, call.index - before);
    return index === call.index ? [] : [{ at: `${place}/index`, json: String(index) }];
  }

  #rewriteTexts(
    piece: ChoicePiece,
    delta: Json | undefined,
    at: string,
    texts: ReadonlyMap<string, string>,
    said: readonly string[],
  ): Splice[] {
    const { choice, stretches } = piece;
    const next = replaced(choice, stretches, texts);
    const before = this.#voices.get(choice) ?? (choice.text === '' ? 'nobody' : 'model');
    const own = stretches.findIndex(({ kind }, i) => kind === 'text' && next[i] !== '');
    if (own !== -1 && before === 'gate') next[own] = BLANK_LINE + next[own];
    const splices = stretches.flatMap((stretch, i) =>
      next[i] === stretch.text
        ? []
        : stretch.places.map((place): Splice => ({ at: at + place, json: JSON.stringify(next[i]) })),
    );
    const visible = stretches.flatMap((stretch, i) => (isVisible(stretch) ? [next[i] as string] : [])).join('');
    const reasoned = stretches.some((stretch, i) => stretch.kind === 'reasoning' && next[i] !== stretch.text);
    if (reasoned && member(delta, 'reasoning_details') !== undefined)
      splices.push({ at: `${at}/reasoning_details`, remove: true });
    const spoken = stretches.findIndex((stretch, i) => stretch.kind === 'transcript' && next[i] !== stretch.text);
    // sound cannot be redacted: it goes with the words
    if (spoken !== -1 && member(member(delta, 'audio'), 'data') !== undefined)
      splices.push({ at: `${at}/audio/data`, remove: true });
    const insert =
      said.length === 0 ? '' : (visible !== '' || before !== 'nobody' ? BLANK_LINE : '') + said.join(BLANK_LINE);
    if (insert !== '')
      splices.push(sayInstead(member(delta, 'content'), at, own === -1 ? '' : (next[own] as string), insert));
    if (visible !== '' || insert !== '') this.#voices.set(choice, insert === '' ? 'model' : 'gate');
    if (piece.said !== undefined) choice.relayed[piece.said] = '';
    if (visible + insert !== '') choice.relayed.push(visible + insert);
    return splices;
  }
}

/** The text of each stretch after the changes: a channel's new text stands in its first stretch. */
function replaced(choice: StreamedChoice, stretches: readonly Stretch[], texts: ReadonlyMap<string, string>): string[] {
  const placed = new Set<string>();
  return stretches.map(({ kind, text }) => {
    const channel = choice.channel(kind);
    const next = texts.get(channel);
    if (next === undefined) return text;
    const first = !placed.has(channel);
    placed.add(channel);
    return first ? next : '';
  });
}

/** The first piece of an edited call carries it whole. */
function wholeCall(element: Json, call: OpenCall, args: string, place: string): Splice[] {
  const holder = call.custom ? 'custom' : 'function';
  const body = member(element, holder);
  const name = JSON.stringify(call.tool);
  const text = call.custom ? 'input' : 'arguments';
  const id: Splice[] =
    member(element, 'id') === call.callId || call.callId === ''
      ? []
      : [{ at: `${place}/id`, json: JSON.stringify(call.callId) }];
  if (!isObject(body))
    return [...id, { at: `${place}/${holder}`, json: `{"name":${name},"${text}":${JSON.stringify(args)}}` }];
  return [
    ...id,
    ...(member(body, 'name') === call.tool ? [] : [{ at: `${place}/${holder}/name`, json: name }]),
    { at: `${place}/${holder}/${text}`, json: JSON.stringify(args) },
  ];
}

/** Last first, so that the places before stay where they are; the whole list goes with its last element. */
function removeElements(at: string, gone: readonly number[], length: number): Splice[] {
  if (gone.length > 0 && gone.length === length) return [{ at, remove: true }];
  return gone.toReversed().map((k) => ({ at: `${at}/${k}`, remove: true }));
}

function sayInstead(content: Json | undefined, at: string, own: string, text: string): Splice {
  if (isArray(content)) return { at: `${at}/content/-`, json: JSON.stringify({ type: 'text', text }) };
  return { at: `${at}/content`, json: JSON.stringify(own + text) };
}

const isBlank = (value: Json | undefined): boolean =>
  value === undefined || value === null || value === '' || (isArray(value) && value.length === 0);

/** True for a chunk with nothing left to tell. */
function saysNothing(body: Json): boolean {
  const choices = member(body, 'choices');
  if (!isArray(choices) || !isBlank(member(body, 'usage')) || !isBlank(member(body, 'x_groq'))) return false;
  return choices.every((choice) => {
    const delta = member(choice, 'delta');
    return (
      isBlank(member(choice, 'finish_reason')) &&
      isBlank(member(choice, 'usage')) &&
      isObject(delta) &&
      Object.values(delta).every(isBlank)
    );
  });
}
