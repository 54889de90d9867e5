import type { TextPart } from '../../domain/action.ts';
import { asString, isArray, isObject, type Json, member } from '../../domain/json.ts';
import type { Pointer } from '../../domain/pointer.ts';

/** The texts of a message's `content` (a string, or a list of parts), visible ones only unless `thinking` is asked for. */
export function contentParts(content: Json | undefined, at: Pointer, thinking = false): TextPart[] {
  if (typeof content === 'string') return content === '' ? [] : [{ at, text: content }];
  if (!isArray(content)) return [];
  return content.flatMap((part, i) => {
    const place = `${at}/${i}`;
    const type = asString(member(part, 'type'));
    if (typeof part === 'string') return contentParts(part, place);
    if (type === 'refusal') return contentParts(member(part, 'refusal'), `${place}/refusal`);
    // Mistral: reasoning is a part of the content, itself a text or a list of parts
    if (type === 'thinking') return thinking ? contentParts(member(part, 'thinking'), `${place}/thinking`) : [];
    return contentParts(asString(member(part, 'text')), `${place}/text`);
  });
}

export const joinTexts = (parts: readonly TextPart[], glue = ''): string => parts.map((part) => part.text).join(glue);

const OPAQUE: Readonly<Record<string, string>> = {
  image_url: 'image',
  input_audio: 'audio',
  audio_url: 'audio',
  video_url: 'video',
  file: 'file',
  file_url: 'file',
  document_url: 'file',
};
const PLAIN = new Set(['text', 'refusal', 'thinking']);

/** What stands in the content whose size in tokens its bytes do not show; an unknown part is named by its own type. */
export function opaqueKinds(content: Json | undefined): string[] {
  if (!isArray(content)) return [];
  return content.flatMap((part) => {
    const type = asString(member(part, 'type'));
    return type === undefined || PLAIN.has(type) ? [] : [(Object.hasOwn(OPAQUE, type) && OPAQUE[type]) || type];
  });
}

/** Content reduced to what identifies it: a list of texts and of other parts, without cache markers. */
export function contentMark(content: Json | undefined): Json {
  if (!isArray(content)) return content === undefined || content === null || content === '' ? [] : [content];
  return content.map((part) => {
    const text = member(part, 'text');
    if (typeof text === 'string') return text;
    if (!isObject(part)) return part;
    const { cache_control: _, ...kept } = part;
    return kept;
  });
}
