import { asString, isObject, type Json, member } from '../../domain/json.ts';
import type { Pointer } from '../../domain/pointer.ts';
import { type Field, fieldOf, pick } from './field.ts';

export type TextKind = 'text' | 'thought' | 'code' | 'result';

/** The text a part holds, and where; relative to the part. */
export interface PartText {
  readonly kind: TextKind;
  readonly text: string;
  readonly at: Pointer;
  readonly frozen: string | undefined;
}

/** The text of a part: prose, a thought, or what the provider's own code execution wrote. Undefined where it has none. */
export function partText(part: Json): PartText | undefined {
  const thought = member(part, 'thought') === true;
  const text = asString(member(part, 'text'));
  if (text !== undefined) {
    const frozen = thought && signatureOf(part) !== undefined ? 'signed thinking' : undefined;
    return { kind: thought ? 'thought' : 'text', text, at: '/text', frozen };
  }
  return ranText(part, 'executableCode', 'code', 'code') ?? ranText(part, 'codeExecutionResult', 'output', 'result');
}

function ranText(part: Json, holder: string, name: string, kind: TextKind): PartText | undefined {
  const field = pick(part, holder);
  const text = asString(member(field?.value, name));
  if (field === undefined || text === undefined) return undefined;
  return { kind, text, at: `/${field.name}/${name}`, frozen: undefined };
}

/** Reads what a signature says of a part: it must come back with it. */
export const signatureOf = (part: Json): string | undefined => asString(fieldOf(part, 'thoughtSignature'));

/** The proposed call in a part, whole or one of its pieces. */
export function callField(part: Json): Field | undefined {
  const field = pick(part, 'functionCall');
  return isObject(field?.value) ? field : undefined;
}

const MEDIA: readonly (readonly [RegExp, string])[] = [
  [/^image\//, 'image'],
  [/^audio\//, 'audio'],
  [/^video\//, 'video'],
];

/** Kinds of content in a part whose size in tokens its bytes do not show. */
export function opaqueKind(part: Json): string | undefined {
  const data = fieldOf(part, 'inlineData') ?? fieldOf(part, 'fileData');
  if (data === undefined) return undefined;
  const mime = asString(fieldOf(data, 'mimeType')) ?? '';
  return MEDIA.find(([pattern]) => pattern.test(mime))?.[1] ?? 'file';
}

/** True where the provider itself ran something. */
export const isProviderRun = (part: Json): boolean =>
  pick(part, 'executableCode') !== undefined || pick(part, 'toolCall') !== undefined;
