import type { TextPart } from '../../domain/action.ts';
import { asString, isArray, type Json, type JsonObject, member } from '../../domain/json.ts';
import type { Pointer } from '../../domain/pointer.ts';
import type { WireCall } from './arguments.ts';
import { contentParts } from './content.ts';

/** Slots: names of calls inside a reply, also the lanes of their pieces in a stream. */
export const callSlot = (choice: number, call: number): string => `${choice}/call/${call}`;
export const functionSlot = (choice: number): string => `${choice}/function`;

/** The number of a choice: its own `index`, else its place in the list. */
export function choiceNumber(choice: Json, place: number): number {
  const index = member(choice, 'index');
  return typeof index === 'number' && Number.isSafeInteger(index) && index >= 0 ? index : place;
}

/** A stretch of text in a message or delta: its kind, and every place that repeats it. */
export interface Stretch {
  readonly kind: 'text' | 'reasoning' | 'refusal' | 'transcript';
  readonly text: string;
  /** relative to the message; the first holds the text, the others say the same once more */
  readonly places: readonly Pointer[];
}

const THINKING = /\/thinking(\/|$)/;

/** The texts of a message or a delta, whatever fields they ride in; empty ones left out. */
export function stretches(message: Json | undefined): Stretch[] {
  const content = member(message, 'content');
  const found: Stretch[] = [];
  const add = (kind: Stretch['kind'], text: string | undefined, ...places: Pointer[]): void => {
    if (text !== undefined && text !== '') found.push({ kind, text, places });
  };
  if (typeof content === 'string') add('text', content, '/content');
  else if (isArray(content)) {
    for (const part of contentParts(content, '/content', true))
      add(THINKING.test(part.at) ? 'reasoning' : 'text', part.text, part.at);
  }
  const long = asString(member(message, 'reasoning_content'));
  const short = asString(member(message, 'reasoning'));
  if (long === short) add('reasoning', long, '/reasoning_content', '/reasoning');
  else {
    add('reasoning', long, '/reasoning_content');
    add('reasoning', short, '/reasoning');
  }
  add('refusal', asString(member(message, 'refusal')), '/refusal');
  add('transcript', asString(member(member(message, 'audio'), 'transcript')), '/audio/transcript');
  return found;
}

/** Reasoning is shown apart: what a person reads as the answer is the rest. */
export const isVisible = (stretch: Stretch): boolean => stretch.kind !== 'reasoning';

/** The whole calls of a complete message, legacy `function_call` last. */
export function messageCalls(message: Json | undefined, choice: number): WireCall[] {
  const list = member(message, 'tool_calls');
  const calls = (isArray(list) ? list : []).map((call, i): WireCall => {
    const custom = member(call, 'custom');
    const body = custom ?? member(call, 'function');
    return {
      slot: callSlot(choice, i),
      callId: asString(member(call, 'id')) ?? '',
      tool: asString(member(body, 'name')) ?? '',
      raw: argumentText(member(body, custom === undefined ? 'arguments' : 'input')),
      custom: custom !== undefined,
    };
  });
  const legacy = member(message, 'function_call') ?? null;
  if (legacy === null) return calls;
  const tool = asString(member(legacy, 'name')) ?? '';
  const raw = argumentText(member(legacy, 'arguments'));
  return [...calls, { slot: functionSlot(choice), callId: '', tool, raw, custom: false }];
}

/** Some imitations send arguments as an object where the language says a string. */
export const argumentText = (value: Json | undefined): string =>
  typeof value === 'string' ? value : value === undefined || value === null ? '' : JSON.stringify(value);

/** Texts of one message as parts, pointers from the document's root. */
export function messageParts(message: JsonObject, at: Pointer): TextPart[] {
  const plain = stretches(message).flatMap(({ text, places }) => places.map((place) => ({ at: at + place, text })));
  return [...plain, ...detailParts(message, at)];
}

/** The texts of OpenRouter's `reasoning_details`; frozen where the provider signed them. */
export function detailParts(message: JsonObject, at: Pointer): TextPart[] {
  const details = member(message, 'reasoning_details');
  return (isArray(details) ? details : []).flatMap((detail, i) => {
    const signed = (member(detail, 'signature') ?? null) !== null;
    return ['text', 'summary']
      .flatMap((name) => contentParts(asString(member(detail, name)), `${at}/reasoning_details/${i}/${name}`))
      .map((part) => (signed ? { ...part, frozen: 'the provider signed this reasoning' } : part));
  });
}
